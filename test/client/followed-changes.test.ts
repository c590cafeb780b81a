/** Changes that are followed, from a server that says what the test says. */
import { expect, it, onTestFinished, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { type FollowedChangesOptions, followChanges } from '../../src/client/followed-changes.ts'

interface Change {
  readonly cursor: string
}

/** `changeCursor` is answered with how often it was asked for, but for the failures in front. */
function open(options: Partial<FollowedChangesOptions<Change>> = {}, failures = 0) {
  const sinks: ChangeSink<unknown>[] = []
  const after: unknown[] = []
  let cursors = 0
  const client: ChangeClient = {
    subscribe(payload, sink) {
      if (payload.query.startsWith('{ changeCursor')) {
        cursors += 1
        const isFailing = cursors <= failures
        const data = { changeCursor: `now ${cursors}` }
        sink.next((isFailing ? { errors: [{ message: 'not yet' }] } : { data }) as never)
        return () => undefined
      }
      sinks.push(sink as ChangeSink<unknown>)
      after.push(payload.variables?.['after'])
      return () => undefined
    },
  }
  const query = 'subscription ($after: Cursor) { changed(after: $after) { cursor } }'
  const followed = followChanges<Change>({ client, request: { query }, ...options })
  const give = (cursor: string) => sinks.at(-1)?.next({ data: { changed: { cursor } } })
  const fail = (code: string) => sinks.at(-1)?.error([{ message: code, extensions: { code } }] as never)
  const until = (wanted: object) => vi.waitFor(() => expect(followed.state).toMatchObject(wanted))
  return { followed, sinks, after, give, fail, until }
}
const cursors = (...names: readonly string[]) => ({ changes: names.map((cursor) => ({ cursor })) })

it('gives each once, in order, and keeps the latest', async () => {
  const seen: string[] = []
  const { followed, after, give, until } = open({ keep: 2, onChange: ({ cursor }) => seen.push(cursor) })
  expect(followed.state).toEqual({ changes: [], status: 'loading', error: null })
  await until({ status: 'live' })
  await vi.waitFor(() => expect(after).toEqual(['now 1']))
  for (const cursor of ['a', 'b', 'c']) give(cursor)
  await until(cursors('b', 'c'))
  expect(seen).toEqual(['a', 'b', 'c'])
  followed.stop()
  give('d')
  await until({ ...cursors('b', 'c'), status: 'ended', error: null })
  expect(seen).toEqual(['a', 'b', 'c'])
})

it('begins once the server says where, and says meanwhile why it does not', async () => {
  const { followed, after, until } = open({}, 2)
  await until({ status: 'loading', error: { message: 'not yet' } })
  await until({ status: 'live', error: null })
  await vi.waitFor(() => expect(after).toEqual(['now 3']))
  followed.stop()
})

it('has the application begin again where changes may be missing, from a cursor of before it did', async () => {
  const asked: string[] = []
  const resynced: unknown[] = []
  const { followed, after, sinks, give, fail, until } = open({
    onResync: async ({ code }) => {
      resynced.push(code)
      asked.push(followed.state.status)
    },
  })
  await vi.waitFor(() => expect(sinks).toHaveLength(1))
  give('a')
  fail('RESYNC_REQUIRED')
  await vi.waitFor(() => expect(after).toEqual(['now 1', 'now 2']))
  expect([resynced, asked]).toEqual([['RESYNC_REQUIRED'], ['reconnecting']])
  give('b')
  await until({ ...cursors('a', 'b'), status: 'live', error: null })
  fail('FORBIDDEN')
  await until({ status: 'ended', error: { code: 'FORBIDDEN' } })
})

it('ends with the error where nobody would begin again', async () => {
  const { sinks, fail, until } = open()
  await vi.waitFor(() => expect(sinks).toHaveLength(1))
  fail('RESYNC_REQUIRED')
  await until({ status: 'ended', error: { code: 'RESYNC_REQUIRED' } })
})

it.each(['PAYLOAD_TOO_LARGE', 'CHANGE_UNDELIVERABLE'])(
  'has the application begin again where a change is missing, and ends where nobody would: %s',
  async (code) => {
    const errors = [{ message: 'no', extensions: { code, cursor: 'b' } }]
    const ways: Readonly<Record<string, (sink: ChangeSink<unknown> | undefined) => void>> = {
      'ends the subscription': (sink) => sink?.error(errors as never),
      'ends it with a result': (sink) => sink?.next({ errors } as never),
      'is the result of the change': (sink) => sink?.next({ data: null, errors } as never),
      'is that of its field': (sink) => sink?.next({ data: { changed: null }, errors } as never),
    }
    for (const [way, lose] of Object.entries(ways)) {
      const resynced: unknown[] = []
      const going = open({ onResync: (error) => void resynced.push(error.code) })
      await vi.waitFor(() => expect(going.sinks).toHaveLength(1))
      going.give('a')
      lose(going.sinks.at(-1))
      await vi.waitFor(() => expect([way, going.after]).toEqual([way, ['now 1', 'now 2']]))
      going.give('c')
      await going.until({ ...cursors('a', 'c'), status: 'live', error: null })
      expect([way, resynced]).toEqual([way, [code]])
      going.followed.stop()

      const ending = open()
      await vi.waitFor(() => expect(ending.sinks).toHaveLength(1))
      ending.give('a')
      lose(ending.sinks.at(-1))
      await ending.until({ ...cursors('a'), status: 'ended', error: { code } })
    }
  },
)

it('says that a field failed for as long as it shows the change', async () => {
  const { followed, sinks, give, until } = open({ keep: 2 })
  await vi.waitFor(() => expect(sinks).toHaveLength(1))
  const errors = [{ message: 'no', extensions: { code: 'GRAPHQL_VALUE_UNAVAILABLE' } }]
  sinks.at(-1)?.next({ data: { changed: { cursor: 'a' } }, errors } as never)
  give('b')
  await until({ ...cursors('a', 'b'), error: { code: 'GRAPHQL_VALUE_UNAVAILABLE' } })
  give('c')
  await until({ ...cursors('b', 'c'), status: 'live', error: null })
  followed.stop()
})

it('has the application begin again less and less often, however many changes cannot be given', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const resyncs: number[] = []
  const begun = Date.now()
  const { followed, give, sinks } = open({
    onResync: () => void resyncs.push(Date.now() - begun),
  })
  // Each that is given is followed by one that cannot be, as fast as it subscribes again.
  for (let ms = 0; ms < 120_000; ms += 50) {
    give('given')
    sinks.at(-1)?.next({ data: null, errors: [{ message: 'CHANGE_UNDELIVERABLE' }] } as never)
    await vi.advanceTimersByTimeAsync(50)
  }
  followed.stop()
  const pauses = resyncs.slice(1).map((at, index) => Math.round((at - (resyncs[index] ?? 0)) / 1_000))
  expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30])
})

it.each([31_000, 61_000])(
  'waits longer each time although having everything again takes long: %i ms',
  async (tookMs) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const begun: number[] = []
    const over: number[] = []
    const { followed, sinks } = open({
      onResync: async () => {
        begun.push(performance.now())
        await new Promise((resolve) => setTimeout(resolve, tookMs))
        over.push(performance.now())
      },
    })
    while (begun.length < 9) {
      sinks.at(-1)?.next({ data: null, errors: [{ message: 'CHANGE_UNDELIVERABLE' }] } as never)
      await vi.advanceTimersByTimeAsync(100)
    }
    followed.stop()
    const pauses = begun.slice(1).map((at, index) => Math.round((at - (over[index] ?? 0)) / 1_000))
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30, 30])
  },
)
