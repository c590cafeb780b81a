/** Which connections end when, in any order of what is asked, read and watched; the clock is the test's. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { findAuthModel } from '../../src/better-auth/auth-models.ts'
import { AuthSessionWatch } from '../../src/better-auth/auth-session-watch.ts'
import { RowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast-api.ts'
import { createDeferred } from '../support/deferred.ts'

const START = new Date('2026-01-01T00:00:00Z')
const HOUR_MS = 3_600_000

beforeEach(() => {
  vi.useFakeTimers({ now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

const TABLES = {
  session: { modelName: 'login', fields: { expiresAt: { fieldName: 'endsAt' }, userId: {} } },
  user: { modelName: 'user', fields: { banned: {} } },
}
const CATALOG = { models: { Login: { name: 'Login' }, User: { name: 'User' } } } as never

type Change = { model: string; action: string; key: object | null; oldKey?: object; new: object | null }

/** A rowcast whose changes the test says. */
function fakeRowcast() {
  let waiting = createDeferred<IteratorResult<Change>>()
  const rowcast = {
    subscriptions: 0,
    whenLive: async () => {},
    changeCursor: async () => '',
    subscribe() {
      rowcast.subscriptions += 1
      waiting = createDeferred()
      return { [Symbol.asyncIterator]: () => ({ next: () => waiting.promise }) }
    },
    async emit(change: Change) {
      const { resolve } = waiting
      waiting = createDeferred()
      resolve({ done: false, value: change })
      await vi.advanceTimersByTimeAsync(0)
    },
    async fail(error: Error) {
      waiting.reject(error)
      await vi.advanceTimersByTimeAsync(0)
    },
  }
  const watch = new AuthSessionWatch(rowcast as unknown as Rowcast)
  const [session, user] = ['session', 'user'].map((key) => findAuthModel(TABLES, CATALOG, key))
  if (session === undefined || user === undefined) throw new Error('no models')
  watch.follow({ session, user })
  return Object.assign(rowcast, { watch })
}

const viewer = (session: string, user = 'ada') => ({
  user: { id: user },
  session: { id: session, expiresAt: new Date(START.getTime() + HOUR_MS) },
})

const deleted = (id: string, model = 'Login'): Change => ({ model, action: 'DELETE', key: { id }, new: null })

it('a session that is renewed ends at its new time, one that is not at its old', async () => {
  const { watch, emit } = fakeRowcast()
  const began = await watch.begin()
  const [first, second] = [vi.fn(), vi.fn()]
  watch.watch(viewer('1'), began, first)
  watch.watch(viewer('2'), began, second)
  const endsAt = new Date(START.getTime() + 100 * 24 * HOUR_MS)
  await emit({ model: 'Login', action: 'UPDATE', key: { id: '1' }, new: { endsAt } })
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect([first.mock.calls.length, second.mock.calls[0]?.[0].code]).toEqual([0, 'SESSION_EXPIRED'])
  // Longer than setTimeout can wait.
  await vi.advanceTimersByTimeAsync(100 * 24 * HOUR_MS)
  expect(first.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_EXPIRED'])
})

it('a session that ends between the question and the watch is over; one that is asked about later is not', async () => {
  const { watch, emit } = fakeRowcast()
  const before = await watch.begin()
  await vi.advanceTimersByTimeAsync(5)
  await emit(deleted('1'))
  await emit(deleted('bob', 'User'))
  await vi.advanceTimersByTimeAsync(5)
  const after = await watch.begin()
  const ends = [vi.fn(), vi.fn(), vi.fn(), vi.fn()]
  watch.watch(viewer('1'), before, ends[0] as never)
  watch.watch(viewer('3', 'bob'), before, ends[1] as never)
  watch.watch(viewer('2'), before, ends[2] as never)
  // A user who was banned and let in again since.
  watch.watch(viewer('4', 'bob'), after, ends[3] as never)
  expect(ends.map((end) => end.mock.calls.length)).toEqual([1, 1, 0, 0])
})

it('remembers a bounded number of ends, and lets in nobody whose end it may have forgotten', async () => {
  const { watch, emit } = fakeRowcast()
  const before = await watch.begin()
  await vi.advanceTimersByTimeAsync(5)
  for (let index = 0; index < 10_001; index += 1) await emit(deleted(`gone${index}`))
  const end = vi.fn()
  watch.watch(viewer('gone0'), before, end)
  expect(end).toHaveBeenCalledOnce()
  await vi.advanceTimersByTimeAsync(5)
  const later = vi.fn()
  watch.watch(viewer('9'), await watch.begin(), later)
  expect(later).not.toHaveBeenCalled()
})

it('a gap ends all, and whoever comes next has it begin again; an orderly stop ends nobody', async () => {
  const rowcast = fakeRowcast()
  const { watch } = rowcast
  const ended = vi.fn()
  watch.watch(viewer('1'), await watch.begin(), ended)
  await rowcast.fail(new RowcastError('RESYNC_REQUIRED', 'A gap.'))
  expect(ended.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_REVOKED'])
  await vi.advanceTimersByTimeAsync(5)
  const kept = vi.fn()
  watch.watch(viewer('1'), await watch.begin(), kept)
  expect(rowcast.subscriptions).toBe(2)
  await rowcast.fail(new RowcastError('SERVER_STOPPING', 'The end.'))
  expect(kept).not.toHaveBeenCalled()
})

it('who is let in at a process that begins to stand by goes to the one that notices the end of a session', async () => {
  const rowcast = fakeRowcast()
  const { watch } = rowcast
  const ended = vi.fn()
  watch.watch(viewer('1'), await watch.begin(), ended)
  const [other, late] = [vi.fn(), vi.fn()]
  watch.watch(viewer('2'), await watch.begin(), other)
  const began = await watch.begin()
  const details = { cursor: 'of the watch', retryAfterMs: 1 }
  await rowcast.fail(new RowcastError('SERVER_STANDING_BY', 'Another process has the changes.', { details }))
  // Whose session was asked for before, and who is let in only now: nobody has revoked it.
  watch.watch(viewer('3'), began, late)
  const whys = [ended, other, late].flatMap(({ mock }) => mock.calls.map(([why]) => why))
  expect(whys.map(({ code }) => code)).toEqual(Array(3).fill('SERVER_STANDING_BY'))
  // The cursor of the watch is nobody's, and all are not to come back at once.
  expect(whys.map((why) => why.details.cursor)).toEqual([null, null, null])
  expect(new Set(whys.map((why) => why.details.retryAfterMs)).size).toBeGreaterThan(1)
})

it('a connection that was closed is forgotten, and a ban of nobody is none', async () => {
  const { watch, emit } = fakeRowcast()
  const began = await watch.begin()
  const [closed, open] = [vi.fn(), vi.fn()]
  watch.watch(viewer('1'), began, closed)()
  watch.watch(viewer('1'), began, open)
  await emit({ model: 'User', action: 'UPDATE', key: { id: 'ada' }, new: { banned: null } })
  expect(open).not.toHaveBeenCalled()
  await emit({ model: 'User', action: 'UPDATE', key: { id: 'ada' }, new: { banned: true } })
  expect([closed.mock.calls.length, open.mock.calls.length]).toEqual([0, 1])
  expect(vi.getTimerCount()).toBe(0)
})

it('a gap while somebody is being let in ends them: nobody would notice the end of their session', async () => {
  const rowcast = fakeRowcast()
  const { watch } = rowcast
  const live = createDeferred<undefined>()
  rowcast.whenLive = () => live.promise
  const beginning = watch.begin()
  await vi.advanceTimersByTimeAsync(5)
  await rowcast.fail(new RowcastError('RESYNC_REQUIRED', 'A gap.'))
  await vi.advanceTimersByTimeAsync(5)
  live.resolve(undefined)
  const end = vi.fn()
  watch.watch(viewer('1'), await beginning, end)
  expect(end.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_REVOKED'])
})

it('changes that cannot be subscribed to let nobody in', async () => {
  const rowcast = fakeRowcast()
  rowcast.subscribe = () => {
    throw new RowcastError('CATALOG_MODEL_NOT_REGISTERED', 'Not live.')
  }
  rowcast.whenLive = () => new Promise((resolve) => setTimeout(resolve, 5))
  const beginning = rowcast.watch.begin()
  await vi.advanceTimersByTimeAsync(5)
  const end = vi.fn()
  rowcast.watch.watch(viewer('1'), await beginning, end)
  expect(end).toHaveBeenCalledOnce()
})

it('rows that are renewed or deleted concern their own connections: nobody goes through all others for each', async () => {
  const { watch, emit } = fakeRowcast()
  const began = await watch.begin()
  const names = Array.from({ length: 100 }, (_, index) => `${index}`)
  const ends = names.map((name) => {
    const end = vi.fn()
    watch.watch(viewer(name, `user of ${name}`), began, end)
    return end
  })
  const endsAt = new Date(START.getTime() + 2 * HOUR_MS)
  const steps = await countVisits(async () => {
    for (const id of names) {
      await emit({ model: 'Login', action: 'UPDATE', key: { id }, new: { endsAt } })
      await emit(deleted(`other ${id}`))
    }
    for (const id of names.slice(1, 50)) await emit(deleted(id))
    for (const id of names.slice(50)) await emit(deleted(`user of ${id}`, 'User'))
  })
  expect(ends.map((end) => end.mock.calls.length)).toEqual(names.map((_, index) => (index === 0 ? 0 : 1)))
  expect(steps).toBeGreaterThan(names.length)
  expect(steps).toBeLessThan(20 * names.length)
})

/** How many entries of sets and maps are gone through meanwhile. */
async function countVisits(run: () => Promise<void>): Promise<number> {
  let visits = 0
  const spies = [Set.prototype, Map.prototype].map((collection) => {
    const iterate = collection[Symbol.iterator]
    return vi.spyOn(collection, Symbol.iterator).mockImplementation(function* (this: never) {
      const entries = iterate.call(this) as Iterator<unknown>
      for (let step = entries.next(); step.done !== true; step = entries.next()) {
        visits += 1
        yield step.value
      }
    } as never)
  })
  try {
    await run()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return visits
}

it('a row that is deleted, nobody knows which, ends all', async () => {
  const { watch, emit } = fakeRowcast()
  const end = vi.fn()
  watch.watch(viewer('1'), await watch.begin(), end)
  await emit({ model: 'Login', action: 'DELETE', key: null, new: null })
  expect(end).toHaveBeenCalledOnce()
})

it('a row that is given another key is gone', async () => {
  const { watch, emit } = fakeRowcast()
  const end = vi.fn()
  watch.watch(viewer('1'), await watch.begin(), end)
  await emit({ model: 'Login', action: 'UPDATE', key: { id: '2' }, oldKey: { id: '1' }, new: {} })
  expect(end).toHaveBeenCalledOnce()
})

it('lets nobody be asked about before queries see all that the stream has brought', async () => {
  const rowcast = fakeRowcast()
  const visible = createDeferred<string>()
  rowcast.changeCursor = () => visible.promise
  let hasBegun = false
  const beginning = rowcast.watch.begin().then(() => {
    hasBegun = true
  })
  await vi.advanceTimersByTimeAsync(5)
  expect(hasBegun).toBe(false)
  visible.resolve('')
  await beginning
})
