/** What the kit does where a server asks for nonsense, never gets anywhere, or where the application's own functions throw. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { EventStreamParser } from '../../src/client/event-stream.ts'
import { createLiveList } from '../../src/client/live-list.ts'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { createSseClient } from '../../src/client/sse-client.ts'
import { retryAfterHeaderMs, retryDelayMs } from '../../src/client/wait.ts'

const REQUEST = { query: 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor } }' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Answers `changeCursor`, and each subscription as it is asked to; a millisecond later, as a network does. */
function createFakeClient(onSubscribe: (sink: ChangeSink<unknown>) => void): ChangeClient {
  return {
    subscribe({ query }: { query: string }, sink: ChangeSink<unknown>) {
      setTimeout(() => {
        if (!query.includes('{ changeCursor }')) return onSubscribe(sink)
        sink.next({ data: { changeCursor: 'start' } })
        sink.complete()
      }, 1)
      return () => sink.complete()
    },
  } as ChangeClient
}

describe('a pause that a server asks for', () => {
  it.each([
    ['3', 3_000],
    ['99999999999', 300_000],
    ['Infinity', 300_000],
    ['-5', null],
    ['0', null],
    ['', null],
    ['Wed, 21 Oct 2015 07:28:00 GMT', null],
    [null, null],
  ])('in a header: %j', (header, ms) => {
    expect(retryAfterHeaderMs(header)).toBe(ms)
  })

  it.each([Number.NaN, -1, 0, '7'])('in an error, and that is none: %j', (retryAfterMs) => {
    expect([0, 1, 20].map((failures) => retryDelayMs({ extensions: { retryAfterMs } }, failures))).toEqual([
      50, 100, 5_000,
    ])
  })

  it('and that no timer can hold does not become none', async () => {
    let attempts = 0
    const client = createSseClient({
      url: 'http://127.0.0.1/',
      fetch: async () => {
        attempts += 1
        return new Response('', { status: 503, headers: { 'retry-after': '99999999' } })
      },
    })
    client.subscribe({ query: '{ changeCursor }' }, { next() {}, error() {}, complete() {} })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(attempts).toBe(1)
    client.dispose()
  })
})

/** How often a server that answers so is asked within a minute, and how that ended. */
async function askedOf(status: number) {
  let attempts = 0
  const ends: unknown[] = []
  const client = createSseClient({
    url: 'http://127.0.0.1/',
    fetch: async () => {
      attempts += 1
      return new Response('<html>', { status })
    },
  })
  const sink = { next() {}, error: (error: unknown) => ends.push(error), complete() {} }
  client.subscribe({ query: 'subscription { a }' }, sink)
  await vi.advanceTimersByTimeAsync(60_000)
  client.dispose()
  return { attempts, ends }
}

it.each([408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 525, 526, 530, 599])(
  'status %i is waited out',
  async (status) => {
    const { attempts, ends } = await askedOf(status)
    expect(attempts).toBeGreaterThan(5)
    expect(ends).toEqual([])
  },
)

it.each([400, 401, 403, 404, 413, 501, 505])('status %i is final', async (status) => {
  const { attempts, ends } = await askedOf(status)
  expect([attempts, ends]).toEqual([1, [expect.objectContaining({ name: 'SubscriptionError' })]])
})

it('variables that no JSON can be made of end the operation with the reason', async () => {
  const client = createSseClient({ url: 'http://127.0.0.1/', fetch: () => expect.unreachable() })
  const ends: unknown[] = []
  const sink = {
    next() {},
    error: (error: unknown) => ends.push(error),
    complete: () => ends.push('complete'),
  }
  client.subscribe({ query: 'subscription { a }', variables: { id: 1n } }, sink)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(ends).toEqual([expect.any(TypeError)])
  client.dispose()
})

it('a server whose results are no JSON is asked less and less often', async () => {
  let attempts = 0
  const client = createSseClient({
    url: 'http://127.0.0.1/',
    fetch: async () => {
      attempts += 1
      return new Response('event: next\ndata: {\n\n', { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  client.subscribe({ query: 'subscription { a }' }, { next() {}, error() {}, complete() {} })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts).toBeGreaterThan(5)
  expect(attempts).toBeLessThan(25)
  client.dispose()
})

it.each([
  ['retry: 4000\n\n', 4_000],
  ['id: c\nretry: 4000\n\n', 4_000],
  ['retry: 0\n\n', 50],
  ['retry: soon\n\n', 50],
])('an event stream that ends with %j is opened again after %i ms', async (end, pauseMs) => {
  let attempts = 0
  const client = createSseClient({
    url: 'http://127.0.0.1/',
    fetch: async () => {
      attempts += 1
      return new Response(`:\n\n${end}`, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  client.subscribe({ query: 'subscription { a }' }, { next() {}, error() {}, complete() {} })
  await vi.advanceTimersByTimeAsync(pauseMs - 1)
  expect(attempts).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(attempts).toBe(2)
  client.dispose()
})

it('a callback that throws when the connection is lost ends the iteration with its error', async () => {
  const client = createSseClient({ url: 'http://127.0.0.1/', fetch: () => Promise.reject(new TypeError()) })
  const changes = subscribeResumable(client, REQUEST, {
    after: 'c',
    onConnection() {
      throw new Error('of the application')
    },
  })
  const end = changes.next().catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await Promise.race([end, 'still waiting'])).toEqual(new Error('of the application'))
})

it('the signal ends an iteration whose server is faster than its loop', async () => {
  const ending = new AbortController()
  let more = () => {}
  const client = createFakeClient((sink) => {
    more = () => sink.next({ data: { tagChanged: { cursor: 'c' } } })
    more()
  })
  let taken = 0
  const loop = (async () => {
    for await (const _ of subscribeResumable(client, REQUEST, { after: 'c', signal: ending.signal })) {
      taken += 1
      more()
      ending.abort()
      more()
      if (taken > 5) break
    }
  })()
  await vi.advanceTimersByTimeAsync(1_000)
  await loop
  // What had come before is given out.
  expect(taken).toBe(2)
})

it('the signal ends an iteration that waits for its first cursor', async () => {
  const ending = new AbortController()
  const client = { subscribe: (_payload: object, sink: ChangeSink<unknown>) => () => sink.complete() }
  const changes = subscribeResumable(client as ChangeClient, REQUEST, { signal: ending.signal })
  const end = changes.next()
  ending.abort()
  expect(await end).toEqual({ done: true, value: undefined })
})

it('a line break that is cut in two is one, though nothing comes in between', () => {
  const events: unknown[] = []
  const parser = new EventStreamParser({ onEvent: (event) => events.push(event), onBookmark() {} }, 1_000)
  for (const piece of ['event: next\r', '', '\ndata: a\r\n', 'data: b\r', '\n: comment\n\r\n'])
    parser.push(piece)
  expect(events).toEqual([{ name: 'next', data: 'a\nb' }])
})

describe('a list', () => {
  it('whose every subscription must be restarted is loaded again once in the interval', async () => {
    let loads = 0
    const list = createLiveList({
      client: createFakeClient((sink) =>
        sink.error([{ message: 'Gone.', extensions: { code: 'RESYNC_REQUIRED' } }] as never),
      ),
      load: async () => {
        loads += 1
        return []
      },
      request: REQUEST,
      key: 'id' as never,
    })
    await vi.advanceTimersByTimeAsync(500)
    expect(list.state).toMatchObject({ status: 'reconnecting', rows: [] })
    await vi.advanceTimersByTimeAsync(9_500)
    expect(loads).toBeGreaterThan(5)
    expect(loads).toBeLessThan(12)
    list.stop()
  })

  it('whose `sort` throws when it is loaded again ends with that error', async () => {
    let loads = 0
    const list = createLiveList<{ id: number }>({
      client: createFakeClient((sink) =>
        sink.next({ data: null, errors: [{ message: 'Failed.', extensions: { cursor: 'a' } }] }),
      ),
      load: async () => {
        loads += 1
        return [{ id: 1 }, { id: 2 }]
      },
      request: REQUEST,
      key: 'id',
      sort: (a, b) => {
        if (loads > 1) throw new Error('no order')
        return a.id - b.id
      },
    })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(list.state).toMatchObject({ status: 'ended', error: new Error('no order') })
    list.stop()
  })
})
