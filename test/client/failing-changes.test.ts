/** What the kit makes of a change that fails, of servers that answer badly, and of those that say when to come back. Over a real socket. */
import { getEventListeners } from 'node:events'
import { createClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { queryChangeCursor } from '../../src/client/change-client.ts'
import { createLiveList } from '../../src/client/live-list.ts'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { SubscriptionError } from '../../src/client/subscription-error.ts'
import { retryDelayMs, wait } from '../../src/client/wait.ts'
import { type Operation, openKitServer } from './kit-server.ts'

interface Tag {
  readonly id: string
  readonly name: string | null
}

const REQUEST = { query: 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor } }' }
const PATIENCE = { timeout: 20_000, interval: 10 }

function connect(url: string) {
  return createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
  })
}

const fault = (message: string, extensions: object = {}) => ({ message, extensions })

describe('a change that fails', () => {
  /** A list of what `stored` has, whose changes the test sends. */
  async function openList(stored: () => readonly Tag[]) {
    const operations: Operation[] = []
    const server = await openKitServer((operation) => operations.push(operation))
    const client = connect(server.url)
    const failures: SubscriptionError[] = []
    let loads = 0
    const list = createLiveList<Tag>({
      client,
      async load() {
        loads += 1
        return stored()
      },
      request: REQUEST,
      key: 'id',
      onFailure: ({ error }) => failures.push(error),
      reloadIntervalMs: 1,
    })
    await expect.poll(() => operations.length, PATIENCE).toBe(1)
    return {
      ...{ operations, failures, list, loads: () => loads },
      send: (result: object) => operations.at(-1)?.next(result),
      async [Symbol.asyncDispose]() {
        list.stop()
        await client.dispose()
        await server[Symbol.asyncDispose]()
      },
    }
  }

  const update = (row: Tag | null, cursor: string) => ({
    tagChanged: { cursor, action: 'UPDATE', key: { rowId: '1' }, new: row },
  })

  it.each([
    ['in its row', { data: update(null, 'a'), errors: [fault('One field of the row failed.')] }],
    [
      'in one nullable field',
      { data: update({ id: '1', name: null }, 'a'), errors: [fault('A field failed.')] },
    ],
    ['as a whole', { data: null, errors: [fault('The row failed.', { cursor: 'a' })] }],
  ])('%s is reported; the row stays, and is loaded again', async (_where, result) => {
    let name = 'before'
    await using open = await openList(() => [{ id: '1', name }])
    const { list, failures, loads, send } = open
    await expect.poll(() => list.state.rows, PATIENCE).toEqual([{ id: '1', name: 'before' }])
    const seen: number[] = []
    list.listen(() => seen.push(list.state.rows.length))
    name = 'after'
    send(result)
    await expect
      .poll(() => list.state, PATIENCE)
      .toMatchObject({ rows: [{ id: '1', name: 'after' }], error: null })
    expect(failures).toHaveLength(1)
    expect(loads()).toBe(2)
    expect(new Set(seen)).toEqual(new Set([1]))
    expect(list.state.status).toBe('live')
    await expect.poll(() => open.operations.length, PATIENCE).toBe(2)
    send({ data: update({ id: '1', name: 'later' }, 'b') })
    await expect.poll(() => list.state.rows, PATIENCE).toEqual([{ id: '1', name: 'later' }])
  })

  it('and what a policy hides are two things: without an error a row that is null is gone', async () => {
    await using open = await openList(() => [{ id: '1', name: 'x' }])
    await expect.poll(() => open.list.state.rows.length, PATIENCE).toBe(1)
    open.send({ data: update(null, 'a') })
    await expect.poll(() => open.list.state.rows, PATIENCE).toEqual([])
    expect(open.failures).toEqual([])
  })

  it('does not bring back what changed while the list was loaded again', async () => {
    let answer = (_rows: readonly Tag[]) => {}
    const operations: Operation[] = []
    await using server = await openKitServer((operation) => operations.push(operation))
    const client = connect(server.url)
    const loads: number[] = []
    const list = createLiveList<Tag>({
      client,
      load() {
        loads.push(1)
        if (loads.length === 1) return Promise.resolve([{ id: '1', name: 'first' }])
        return new Promise((resolve) => {
          answer = resolve
        })
      },
      request: REQUEST,
      key: 'id',
    })
    await expect.poll(() => operations.length, PATIENCE).toBe(1)
    operations[0]?.next({ data: update(null, 'a'), errors: [fault('Failed.')] })
    await expect.poll(() => loads.length, PATIENCE).toBe(2)
    operations[0]?.next({ data: update({ id: '1', name: 'newest' }, 'b') })
    await expect.poll(() => list.state.rows[0]?.name, PATIENCE).toBe('newest')
    answer([{ id: '1', name: 'as the query saw it' }])
    // What the query was too early for follows its cursor.
    await expect.poll(() => operations.length, PATIENCE).toBe(2)
    expect(operations[1]?.variables).toEqual({ after: 'start' })
    operations[0]?.next({ data: update({ id: '1', name: 'of a subscription that is over' }, 'b') })
    operations[1]?.next({ data: update({ id: '1', name: 'newest' }, 'b') })
    await expect.poll(() => list.state, PATIENCE).toMatchObject({ rows: [{ name: 'newest' }], error: null })
    list.stop()
    await client.dispose()
  })

  it('and ends the subscription is skipped: the next attempt begins after it', async () => {
    await using open = await openList(() => [{ id: '1', name: 'x' }])
    open.operations[0]?.error([fault('Too large.', { code: 'PAYLOAD_TOO_LARGE', cursor: 'after it' })])
    await expect
      .poll(() => open.operations.map(({ variables }) => variables['after']), PATIENCE)
      .toContain('after it')
    await expect.poll(open.loads, PATIENCE).toBe(2)
    expect(open.failures[0]?.code).toBe('PAYLOAD_TOO_LARGE')
  })
})

describe('a server', () => {
  it('that answers with an error is quoted, and so is one that answers with nothing', async () => {
    const answers = [
      { errors: [fault('You are not signed in.', { code: 'UNAUTHENTICATED' })] },
      { data: null, errors: [fault('No stream yet.')] },
      { data: null },
    ]
    await using server = await openKitServer(
      () => undefined,
      () => answers.shift() ?? {},
    )
    const client = connect(server.url)
    const failure = () =>
      queryChangeCursor(client).then(String, (error: SubscriptionError) => [error.code, error.message])
    expect(await failure()).toEqual(['UNAUTHENTICATED', 'You are not signed in.'])
    expect(await failure()).toEqual([null, 'No stream yet.'])
    expect(await failure()).toEqual([null, 'The server answered `changeCursor` with no cursor.'])
    await client.dispose()
  })

  it('that says when to come back is asked then, whatever its code', async () => {
    const asked: unknown[] = []
    await using server = await openKitServer((operation) => {
      asked.push(operation.variables['after'])
      if (asked.length <= 2)
        operation.error([fault('Later.', { code: 'MODEL_UNAVAILABLE', retryAfterMs: 1 })])
      else if (asked.length === 3)
        operation.error([fault('Busy.', { code: 'SOMETHING_NEW', retryAfterMs: 1 })])
      else operation.complete()
    })
    const client = connect(server.url)
    for await (const _ of subscribeResumable(client, REQUEST, { after: 'c' })) expect.unreachable()
    expect(asked).toEqual(['c', 'c', 'c', 'c'])
    expect(retryDelayMs(new SubscriptionError('', { retryAfterMs: 30_000 }), 0)).toBe(30_000)
    await client.dispose()
  })
})

it('a second list on a client that is connected is live', async () => {
  await using server = await openKitServer(() => undefined)
  const client = connect(server.url)
  const options = { client, load: async () => [], request: REQUEST, key: 'id' as const }
  const first = createLiveList<Tag>(options)
  await expect.poll(() => first.state.status, PATIENCE).toBe('live')
  const second = createLiveList<Tag>(options)
  await expect.poll(() => second.state.status, PATIENCE).toBe('live')
  second.stop()
  expect(second.state.status).toBe('ended')
  first.stop()
  await client.dispose()
})

it('waiting leaves no listener behind', async () => {
  const { signal } = new AbortController()
  for (let i = 0; i < 20; i += 1) await wait(0, signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
