/** What a client has changed itself, in a list that the server keeps: shown at once, and known when it comes, by the transactions that the server names. */
import { expect, it, onTestFinished, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { followList } from '../../src/client/followed-list.ts'
import { MutationError } from '../../src/client/own-mutations.ts'

interface Row {
  readonly id: string
}

const row = (id: string): Row => ({ id })
const insert = (id: string, index: number) => ({ kind: 'INSERT', index, key: { rowId: id }, row: row(id) })
const by = (...ids: readonly (string | null)[]) =>
  ids.map((id, xid) => ({ xid: String(xid), metadata: id === null ? null : { mutationId: id } }))

function open() {
  let sink: ChangeSink<unknown> | null = null
  let asked = 0
  const client: ChangeClient = {
    subscribe(_payload, given) {
      asked += 1
      sink = given as ChangeSink<unknown>
      return () => undefined
    },
  }
  const own: boolean[] = []
  const list = followList<Row>({
    ...{ client, request: { query: '' }, key: 'id', sort: (a: Row, b: Row) => a.id.localeCompare(b.id) },
    onPatch: (_operations, { isOwn }) => own.push(isOwn),
  })
  const ids = () => list.state.rows.map(({ id }) => id).join()
  return {
    ...{ list, own, ids },
    shows: (wanted: string) => expect.poll(ids).toBe(wanted),
    begun: () => expect.poll(() => sink).not.toBeNull(),
    asked: (count: number) => expect.poll(() => asked).toBe(count),
    connect: (isConnected: boolean) => (isConnected ? sink?.connected?.() : sink?.lost?.()),
    give: (event: object) => sink?.next({ data: { list: { cursor: 'x', ...event } } } as never),
  }
}

it('is shown where it will stand, and goes in one step with the patch that has its transaction, which is own once', async () => {
  const { list, own, shows, begun, give } = open()
  await begun()
  give({ rows: [row('a'), row('d')], transactions: [] })
  await shows('a,d')
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: row('b new') })
  await shows('a,b new,d')
  give({ operations: [insert('e', 2)], transactions: by(null) })
  await shows('a,b new,d,e')
  // Two transactions in one patch, the own one not the last.
  give({ operations: [insert('b', 1), insert('c', 2)], transactions: by(null, id, null) })
  await shows('a,b,c,d,e')
  expect(await list.settled(id)).toBe('change')
  give({ operations: [insert('f', 5)], transactions: by(null, id, null, null) })
  await shows('a,b,c,d,e,f')
  expect(own).toEqual([false, true, false])
  list.stop()
})

it('is known in a list that comes whole again, where that names its transaction', async () => {
  const { list, shows, begun, give, connect } = open()
  await begun()
  connect(true)
  give({ rows: [row('a')], transactions: [] })
  await shows('a')
  connect(false)
  connect(true)
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: row('b new') })
  give({ rows: [row('a'), row('b')], transactions: by(id) })
  await shows('a,b')
  expect(await list.settled(id)).toBe('change')
  list.stop()
})

it('is taken back where it has failed, and not waited for once the list has ended', async () => {
  const { list, shows, begun, give } = open()
  await begun()
  give({ rows: [row('a')], transactions: [] })
  await shows('a')
  const [failed, late] = [list.newMutationId(), list.newMutationId()]
  list.show(failed, { action: 'DELETE', key: row('a') })
  await shows('')
  list.revert(failed)
  await shows('a')
  const settled = list.settled(late)
  list.stop()
  await expect(settled).rejects.toThrow(MutationError)
  await expect(list.settled(failed)).rejects.toThrow('does not know it')
})

it.each([
  { timeoutMs: 30_000, settledAtMs: 1_100 },
  { timeoutMs: 800, settledAtMs: 800 },
])(
  'is taken for shown a second after the first patch that may have it, however many follow, and not later than asked: $timeoutMs',
  async ({ timeoutMs, settledAtMs }) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { list, ids, give } = open()
    await vi.advanceTimersByTimeAsync(0)
    give({ rows: [], transactions: [] })
    await vi.advanceTimersByTimeAsync(0)
    const id = list.newMutationId()
    list.show(id, { action: 'INSERT', new: row('b new') })
    const begunAtMs = performance.now()
    const outcome = list
      .settled(id, { timeoutMs })
      .then((settled) => [settled, performance.now() - begunAtMs])
    for (let count = 0; count < 16; count += 1) {
      await vi.advanceTimersByTimeAsync(100)
      give({ operations: [insert(`a${count}`, count)], transactions: [] })
      await vi.advanceTimersByTimeAsync(400)
    }
    expect(ids()).not.toContain('b new')
    expect(await outcome).toEqual(['reload', settledAtMs])
    list.stop()
  },
)

it('is taken for shown where more came with one patch than the server names, and only then', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { list, ids, give } = open()
  await vi.advanceTimersByTimeAsync(0)
  give({ rows: [], transactions: by(null) })
  await vi.advanceTimersByTimeAsync(0)
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: row('b new') })
  const outcome = list.settled(id).then((settled) => settled)
  give({ operations: [insert('a', 0)], transactions: by(null, null) })
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ids()).toBe('a,b new')
  give({
    operations: [insert('b', 1)],
    transactions: by(null, null, id, ...Array(100).fill(null)).slice(-64),
  })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(ids()).toBe('a,b')
  expect(await outcome).toBe('reload')
  list.stop()
})

it('stays where it was made while the list was on its way, until its transaction comes behind that', async () => {
  const { list, shows, begun, asked, give } = open()
  await begun()
  const first = list.newMutationId()
  list.show(first, { action: 'INSERT', new: row('b new') })
  give({ rows: [row('a')], transactions: by(null) })
  await shows('a,b new')
  const settled = list.settled(first)
  give({ operations: [insert('b', 1)], transactions: by(null, first) })
  await shows('a,b')
  expect(await settled).toBe('change')
  const missed = list.newMutationId()
  list.show(missed, { action: 'INSERT', new: row('c new') })
  give({ operations: [insert('z', 9)], transactions: by(null, first, null) })
  await expect.poll(() => list.state.status).toBe('reconnecting')
  await asked(2)
  const next = list.newMutationId()
  list.show(next, { action: 'INSERT', new: row('d new') })
  const outcomes = [list.settled(missed), list.settled(next)]
  give({ rows: [row('a'), row('b'), row('c')], transactions: by(null) })
  await shows('a,b,c,d new')
  give({ operations: [insert('d', 3)], transactions: by(null, next) })
  await shows('a,b,c,d')
  expect(await Promise.all(outcomes)).toEqual(['reload', 'change'])
  list.stop()
})

it('is own in each of the patches of a mutation that wrote several transactions, though nothing but the mutation is selected of them', async () => {
  const { list, own, shows, begun, give } = open()
  await begun()
  give({ rows: [row('a')], transactions: [] })
  await shows('a')
  const id = list.newMutationId()
  const one = { metadata: { mutationId: id } }
  const other = { metadata: null }
  give({ operations: [insert('b', 1)], transactions: [one] })
  await shows('a,b')
  give({ operations: [insert('c', 2)], transactions: [one, other] })
  await shows('a,b,c')
  give({ operations: [insert('d', 3)], transactions: [one, other, one] })
  await shows('a,b,c,d')
  give({ operations: [insert('e', 4)], transactions: [one, other, one, other] })
  await shows('a,b,c,d,e')
  expect(own).toEqual([true, false, true, false])
  list.stop()
})
