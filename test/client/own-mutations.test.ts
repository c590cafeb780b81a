/** What a live list shows of its own mutations before the server has them, and when it takes them for settled. */
import { expect, it, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { createLiveList } from '../../src/client/live-list.ts'
import { MutationError } from '../../src/client/own-mutations.ts'

interface Person {
  readonly id: number
  readonly name: string
}

const ada: Person = { id: 1, name: 'Ada' }
const ben: Person = { id: 2, name: 'Ben' }

function open({ isWithRows = false } = {}) {
  let sink: ChangeSink<unknown> | null = null
  let cursors = 0
  let stored: readonly Person[] = [ada]
  const client: ChangeClient = {
    subscribe(payload, given) {
      if (payload.query === '{ changeCursor }') {
        given.next({ data: { changeCursor: `c${++cursors}` } } as never)
        return () => undefined
      }
      sink = given as ChangeSink<unknown>
      return () => given.complete()
    },
  }
  const seen: [name: string | undefined, isOwn: boolean][] = []
  const pictures: string[][] = []
  const list = createLiveList<Person>({
    client,
    load: isWithRows ? undefined : () => Promise.resolve(stored),
    request: {
      query: `subscription ($after: Cursor) { personChanged(${isWithRows ? 'initial: true, ' : ''}after: $after) { cursor } }`,
    },
    key: 'id',
    reloadIntervalMs: 0,
    onChange: (change, { isOwn }) => seen.push([change.new?.name, isOwn]),
  })
  list.listen(() => pictures.push(list.state.rows.map(({ name }) => name)))
  const send = (
    action: string,
    row: Person,
    mutationId: string | null,
    last = true,
    xid: string | null = null,
  ) =>
    sink?.next({
      data: {
        personChanged: {
          ...{ cursor: `c${++cursors}`, action, key: { rowId: row.id }, new: row },
          transaction: { last, xid, metadata: mutationId === null ? null : { mutationId } },
        },
      },
    })
  /** Resolves once listeners have seen these rows. */
  const shows = (...names: readonly string[]) =>
    vi.waitUntil(() => pictures.at(-1)?.join() === names.join(), { interval: 1 })
  return {
    ...{ list, seen, pictures, send, shows },
    /** What a subscription begins with. */
    sendRows(rows: readonly Person[]) {
      for (const row of rows) send('READ', row, null)
      sink?.next({ data: { personChanged: { cursor: `c${++cursors}`, action: 'READY' } } })
    },
    begun: () => vi.waitFor(() => expect(sink).not.toBeNull()),
    store(rows: readonly Person[]) {
      stored = rows
    },
    gap() {
      const errors = [{ message: 'gone', extensions: { code: 'RESYNC_REQUIRED' } }]
      const before = sink
      sink = null
      before?.next({ errors } as never)
    },
  }
}

it('shows a row before it has come, and replaces it in one step', async () => {
  const { list, send, begun, seen, pictures, shows } = open()
  await begun()
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: { id: -1, name: 'Ben …' } })
  const settled = list.settled(id)
  await shows('Ada', 'Ben …')
  send('INSERT', { id: 3, name: 'Cy' }, null)
  await shows('Ada', 'Cy', 'Ben …')
  send('INSERT', ben, id)
  expect(await settled).toBe('change')
  expect(list.state.rows.map(({ name }) => name)).toEqual(['Ada', 'Cy', 'Ben'])
  await shows('Ada', 'Cy', 'Ben')
  expect(seen).toEqual([
    ['Cy', false],
    ['Ben', true],
  ])
  const distinct = pictures.filter((picture, at) => picture.join() !== pictures[at - 1]?.join())
  expect(distinct.slice(-3)).toEqual([
    ['Ada', 'Ben …'],
    ['Ada', 'Cy', 'Ben …'],
    ['Ada', 'Cy', 'Ben'],
  ])
  // Also for whoever asks later.
  expect(await list.settled(id)).toBe('change')
  list.stop()
})

it('keeps what it shows until the transaction is over, and updates and deletes as well', async () => {
  const { list, send, begun, seen, shows } = open()
  await begun()
  const id = list.newMutationId()
  list.show(id, [
    { action: 'UPDATE', key: { rowId: 1 }, new: { id: 1, name: 'Ada L.' } },
    { action: 'INSERT', new: ben },
  ])
  expect(list.state.rows).toEqual([{ id: 1, name: 'Ada L.' }, ben])
  send('UPDATE', { id: 1, name: 'Ada Lovelace' }, id, false)
  await vi.waitUntil(() => seen.length === 1)
  expect(list.state.rows).toContainEqual(ben)
  send('INSERT', { id: 2, name: 'Benjamin' }, id)
  await shows('Ada Lovelace', 'Benjamin')
  expect(list.state.rows.map(({ name }) => name)).toEqual(['Ada Lovelace', 'Benjamin'])
  const other = list.newMutationId()
  list.show(other, { action: 'DELETE', key: { rowId: 2 } })
  expect(list.state.rows).toHaveLength(1)
  const failed = expect(list.settled(other)).rejects.toMatchObject({ reason: 'reverted' })
  list.revert(other)
  await failed
  expect(list.state.rows).toHaveLength(2)
  list.stop()
})

it('is settled by the first rows, which have what was saved before their cursor', async () => {
  const { list, begun, store } = open()
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: ben })
  store([ada, ben])
  const settled = list.settled(id)
  await begun()
  expect(await settled).toBe('reload')
  expect(list.state.rows.map(({ name }) => name)).toEqual(['Ada', 'Ben'])
  list.stop()
})

it('is settled by rows that are loaded again after a gap, where nobody can know', async () => {
  const { list, begun, gap, store } = open()
  await begun()
  const [waiting, later] = [list.newMutationId(), list.newMutationId()]
  list.show(waiting, { action: 'INSERT', new: ben })
  const settled = list.settled(waiting)
  store([ada, { id: 2, name: 'Benjamin' }])
  gap()
  expect(await settled).toBe('reload')
  expect(list.state.rows.map(({ name }) => name)).toEqual(['Ada', 'Benjamin'])
  expect(await list.settled(later)).toBe('reload')
  // One that is made after it is waited for.
  await begun()
  const fresh = list.settled(list.newMutationId(), { timeoutMs: 1 })
  await expect(fresh).rejects.toMatchObject({ reason: 'timeout' })
  list.stop()
})

it('is not waited for once the list ends, nor for ever, nor where it is not known', async () => {
  const { list, begun } = open()
  await begun()
  const late = list.newMutationId()
  list.show(late, { action: 'INSERT', new: ben })
  await expect(list.settled(late, { timeoutMs: 1 })).rejects.toMatchObject({ reason: 'timeout' })
  // What did not come is not shown for ever.
  expect(list.state.rows).toEqual([ada])
  await expect(list.settled('of somebody else')).rejects.toMatchObject({ reason: 'unknown' })
  const forgotten = expect(list.settled(list.newMutationId())).rejects.toMatchObject({ reason: 'unknown' })
  for (let count = 0; count < 1_000; count += 1) list.newMutationId()
  await forgotten
  const ids = [list.newMutationId(), list.newMutationId()] as const
  const ended = expect(list.settled(ids[0])).rejects.toMatchObject({ reason: 'ended' })
  list.stop()
  await ended
  await expect(list.settled(ids[1])).rejects.toBeInstanceOf(MutationError)
  expect(() => list.show(ids[1], { action: 'INSERT', new: ben })).toThrow(MutationError)
})

it('knows the change by its transaction, whether that comes before the answer of the server or after it', async () => {
  const { list, send, begun, seen, shows } = open()
  await begun()
  const [early, late, other] = [list.newMutationId(), list.newMutationId(), list.newMutationId()]
  list.show(early, { action: 'INSERT', new: { id: -1, name: 'Ben …' } })
  // A number of 64 bits, as PostgreSQL says it: changes have the lower 32.
  send('INSERT', { id: 9, name: 'Half' }, null, false, '7')
  send('INSERT', ben, null, true, '7')
  await shows('Ada', 'Half', 'Ben', 'Ben …')
  expect(await list.settled(early, { xid: (3n << 32n) + 7n })).toBe('change')
  await shows('Ada', 'Half', 'Ben')
  const settled = list.settled(late, { xid: '4294967295' })
  send('INSERT', { id: 3, name: 'Cy' }, null, false, '4294967295')
  await shows('Ada', 'Half', 'Ben', 'Cy')
  send('INSERT', { id: 4, name: 'Di' }, null, true, '4294967295')
  expect(await settled).toBe('change')
  await vi.waitFor(() =>
    expect(seen.slice(-2)).toEqual([
      ['Cy', true],
      ['Di', true],
    ]),
  )
  await expect(list.settled(other, { xid: 8, timeoutMs: 1 })).rejects.toMatchObject({ reason: 'timeout' })
  await expect(list.settled(other, { xid: 'none' })).rejects.toThrow(SyntaxError)
  list.stop()
})

it('takes rows that were loaded again for what the transaction wrote, where it may have come with them alone', async () => {
  const { list, begun, gap, store } = open()
  await begun()
  const id = list.newMutationId()
  const settled = list.settled(id, { xid: 7 })
  store([ada, ben])
  gap()
  expect(await settled).toBe('reload')
  list.stop()
})

it('knows all that one transaction wrote, the transaction said last, and none of another database', async () => {
  const { list, send, begun, seen, store, gap } = open()
  await begun()
  const [retried, later] = [list.newMutationId(), list.newMutationId()]
  const settled = [1, 2].map(() => list.settled(list.newMutationId(), { xid: 7 }))
  send('INSERT', ben, null, true, '7')
  expect(await Promise.all(settled)).toEqual(['change', 'change'])
  // Rolled back for a conflict, and written again.
  const again = [list.settled(retried, { xid: 8 }), list.settled(retried, { xid: 9 })]
  send('INSERT', { id: 3, name: 'Cy' }, null, true, '9')
  expect(await Promise.all(again)).toEqual(['change', 'change'])
  send('INSERT', { id: 4, name: 'Di' }, null, true, '8')
  await vi.waitFor(() => expect(seen.map(([, isOwn]) => isOwn)).toEqual([true, true, false]))
  store([ada])
  gap()
  await begun()
  const after = list.newMutationId()
  await expect(list.settled(after, { xid: 7, timeoutMs: 1 })).rejects.toMatchObject({ reason: 'timeout' })
  expect(await list.settled(later, { xid: 7 })).toBe('reload')
  list.stop()
})

it('waits for all of several transactions, also where the first of them names it, and for none where there are none', async () => {
  const { list, send, begun, shows } = open()
  await begun()
  const [unnamed, named, none] = [list.newMutationId(), list.newMutationId(), list.newMutationId()]
  list.show(unnamed, { action: 'INSERT', new: { id: -1, name: 'Ben …' } })
  send('INSERT', ben, null, true, '7')
  await shows('Ada', 'Ben', 'Ben …')
  const settled = list.settled(unnamed, { xid: [7, '8'] })
  send('INSERT', { id: 3, name: 'Cy' }, named, true, '9')
  await shows('Ada', 'Ben', 'Cy', 'Ben …')
  const ofNamed = list.settled(named, { xid: [9, 10n] })
  let count = 0
  for (const each of [settled, ofNamed]) void each.then(() => (count += 1))
  send('INSERT', { id: 4, name: 'Di' }, named, false, '10')
  await shows('Ada', 'Ben', 'Cy', 'Di', 'Ben …')
  expect(count).toBe(0)
  send('INSERT', { id: 5, name: 'Ed' }, named, true, '10')
  expect(await ofNamed).toBe('change')
  expect(count).toBe(1)
  send('INSERT', { id: 6, name: 'Fi' }, null, true, '8')
  expect(await settled).toBe('change')
  await shows('Ada', 'Ben', 'Cy', 'Di', 'Ed', 'Fi')
  expect(await list.settled(none, { xid: [] })).toBe('change')
  list.stop()
})

it('takes what was made while the first rows were read for among them, unless its change comes', async () => {
  const { list, send, sendRows, begun, shows } = open({ isWithRows: true })
  await begun()
  const [among, coming] = [list.newMutationId(), list.newMutationId()]
  list.show(coming, { action: 'INSERT', new: { id: -1, name: 'Cy …' } })
  list.show(among, { action: 'INSERT', new: { id: -2, name: 'Ben …' } })
  const settled = [list.settled(among), list.settled(coming)]
  sendRows([ada, ben])
  await shows('Ada', 'Ben', 'Ben …', 'Cy …')
  send('INSERT', { id: 3, name: 'Cy' }, coming)
  expect(await Promise.all(settled)).toEqual(['reload', 'change'])
  await shows('Ada', 'Ben', 'Cy')
  list.stop()
})

it('the next transaction says that one is over whose last change fell away', async () => {
  const { list, send, begun } = open()
  await begun()
  const [named, written] = [list.newMutationId(), list.newMutationId()]
  const settled = [list.settled(named, {}), list.settled(written, { xid: 7 })]
  send('INSERT', ben, named, false, '7')
  send('INSERT', { id: 3, name: 'Cy' }, null, true, '8')
  expect(await Promise.all(settled)).toEqual(['change', 'change'])
  list.stop()
})
