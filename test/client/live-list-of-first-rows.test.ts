/** A live list without `load`: its rows are those that its subscription begins with. */
import { expect, it, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { createLiveList } from '../../src/client/live-list.ts'

interface Person {
  readonly id: number
  readonly name: string
}

/** A server that a test plays: each subscription as it was asked for, and the way to whoever asked. */
function server() {
  const asked: { variables: unknown; sink: ChangeSink<unknown> }[] = []
  const client: ChangeClient = {
    subscribe(payload, sink) {
      asked.push({ variables: payload.variables, sink: sink as ChangeSink<unknown> })
      return () => sink.complete()
    },
  }
  const send = (change: object) => asked.at(-1)?.sink.next({ data: { personChanged: change } })
  return { client, asked, send }
}

const ada: Person = { id: 1, name: 'Ada' }
const ben: Person = { id: 2, name: 'Ben' }
const read = (row: Person, transition = 'ENTERED') => ({
  action: 'READ',
  transition,
  key: row,
  new: row,
  cursor: 'p',
})
const left = ({ id }: Person) => ({ action: 'READ', transition: 'LEFT', key: { id }, new: null, cursor: 'p' })
const ready = { action: 'READY', cursor: 'c1' }

function open() {
  const played = server()
  const list = createLiveList<Person>({
    ...{ client: played.client, key: 'id', reloadIntervalMs: 0 },
    request: {
      query: 'subscription ($after: Cursor) { personChanged(initial: true, after: $after) { cursor } }',
    },
  })
  return { ...played, list, rows: () => list.state.rows }
}

it('shows the rows once all are there, then follows the changes', async () => {
  const { list, rows, asked, send } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  expect(asked[0]?.variables).toEqual({ after: null })
  send(read(ada))
  send(read(ben))
  send(read({ ...ada, name: 'Ada L.' }, 'STAYED'))
  send(left(ben))
  await new Promise((resolve) => setImmediate(resolve))
  expect(list.state).toMatchObject({ status: 'loading', rows: [] })
  send(ready)
  await vi.waitFor(() => expect(rows()).toEqual([{ id: 1, name: 'Ada L.' }]))
  send({ action: 'INSERT', key: { id: 2 }, new: ben, cursor: 'c2' })
  await vi.waitFor(() => expect(rows()).toHaveLength(2))
  expect(list.state).toMatchObject({ status: 'live', isComplete: true })
  list.stop()
})

it('begins with rows again where changes may be missing, and shows the old ones until all are there', async () => {
  const { list, rows, asked, send } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  send(read(ada))
  send(ready)
  await vi.waitFor(() => expect(rows()).toEqual([ada]))
  asked[0]?.sink.next({ errors: [{ message: 'gone', extensions: { code: 'RESYNC_REQUIRED' } }] } as never)
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  expect(asked[1]?.variables).toEqual({ after: null })
  send(read(ben))
  await new Promise((resolve) => setImmediate(resolve))
  expect(rows()).toEqual([ada])
  send(ready)
  await vi.waitFor(() => expect(rows()).toEqual([ben]))
  list.stop()
})

it('takes out a row that an UPDATE takes out of sight, also where each type of changes is selected for itself', async () => {
  const { list, asked, send, rows } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  for (const change of [read(ada), read(ben), ready]) send(change)
  await vi.waitFor(() => expect(rows()).toEqual([ada, ben]))
  // `... on PersonDeleted { key { rowId } }`
  send({ action: 'UPDATE', transition: 'LEFT', key: { rowId: 1 }, cursor: 'c2' })
  await vi.waitFor(() => expect(rows()).toEqual([ben]))
  expect(list.state.status).toBe('live')
  list.stop()
})

it('begins with rows again where a row is gone and nobody says which', async () => {
  const { list, asked, send, rows } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  for (const change of [read(ada), read(ben), ready]) send(change)
  await vi.waitFor(() => expect(rows()).toEqual([ada, ben]))
  // The replica identity is an index that does not hold the key.
  send({ action: 'DELETE', key: null, new: null, cursor: 'c2' })
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  for (const change of [read(ben), { ...ready, cursor: 'c3' }]) send(change)
  await vi.waitFor(() => expect(rows()).toEqual([ben]))
  list.stop()
})

it('shows the others where a row fails, and does not begin again and again for it', async () => {
  const { list, rows, asked, send } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  const errors = [{ message: 'no', extensions: { code: 'GRAPHQL_VALUE_UNREPRESENTABLE' } }]
  const failed = { personChanged: { ...read(ada), new: { id: 1, name: null } } }
  asked[0]?.sink.next({ data: failed, errors } as never)
  await new Promise((resolve) => setTimeout(resolve, 20))
  send(read(ben))
  send(ready)
  await vi.waitFor(() => expect(rows()).toEqual([ben]))
  const error = { code: 'GRAPHQL_VALUE_UNREPRESENTABLE' }
  expect(list.state).toMatchObject({ status: 'live', error })
  expect(asked).toHaveLength(1)
  list.stop()
})

it.each([
  ['`action`', { key: { id: 1 }, new: ada }],
  ['`new`', { action: 'INSERT', key: { id: 1 } }],
  ['`new`', { action: 'UPDATE', key: { id: 1 } }],
  ['`key`', { action: 'DELETE' }],
])('says that %s is not selected, and ends: %o', async (part, change) => {
  const { list, asked, send } = open()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  send(ready)
  send({ ...change, cursor: 'c2' })
  await vi.waitFor(() => expect(list.state.status).toBe('ended'))
  expect(String(list.state.error)).toContain(part)
})
