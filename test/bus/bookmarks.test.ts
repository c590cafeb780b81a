/** Positions of subscriptions for which nothing comes: what they were before they do not become again. */
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BusSubscription } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { formatCursor, INDEX_AFTER_ALL, parseCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const cursorAt = (commit: number, index: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), index)

/** A process that has begun again, and reads once more what the one before it had handed on already. */
function openBehind() {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) })
  const publish = (commit: number) => {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
  }
  return { bus, publish }
}

it.each([
  ['one that comes back', cursorAt(500, 0), 500],
  ['one that begins', undefined, 999],
])(
  '%s gets no bookmark from before its beginning while the process is still behind it',
  async (_name, after, began) => {
    const { bus, publish } = openBehind()
    const { pull } = bus.subscribe({ model: 'User', after })
    expect(pull?.take()).toBeUndefined()
    for (let round = 0; round < 3; round += 1) await turn()
    for (const commit of [100, 200]) {
      publish(commit)
      expect(pull?.take()).toBeUndefined()
      const bookmark = pull?.bookmark?.() ?? null
      if (bookmark !== null)
        expect(Number(parseCursor(bookmark).position.commitLsn)).toBeGreaterThanOrEqual(began)
    }
    const stopped = new Error('stopped')
    let goOn: string | null = null
    bus.stop((cursor) => {
      goOn = cursor
      return stopped
    })
    expect(Number(parseCursor(goOn ?? '').position.commitLsn)).toBeGreaterThanOrEqual(began)
  },
)

it('once the process is beyond it, bookmarks go on', async () => {
  const { bus, publish } = openBehind()
  const { pull } = bus.subscribe({ model: 'Post', after: cursorAt(500, 0) })
  expect(pull?.take()).toBeUndefined()
  for (let round = 0; round < 3; round += 1) await turn()
  publish(1_200)
  expect(pull?.bookmark?.()).toBe(cursorAt(1_200, 0))
  bus.passed(toLsn(1_300n))
  expect(pull?.bookmark?.()).toBe(cursorAt(1_299, INDEX_AFTER_ALL))
})

it.each([
  ['a stream that is there', true],
  ['the stream that is waited for', false],
])('one that takes nothing of %s is to come back where it began, not before', async (_, isThere) => {
  const bus = createMemoryBus({ queueLengthMax: 1, log: { bytesMax: 0 } })
  const start = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) }
  if (isThere) bus.open(start)
  const slow = bus.subscribe({ model: 'User' })
  if (!isThere) bus.open(start)
  const publish = (commit: number) => {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
  }
  for (const commit of [100, 1_100, 1_200, 1_300]) publish(commit)
  const cursor = cursorAt(999, INDEX_AFTER_ALL)
  await expect(slow.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW', details: { cursor } })
})

/** What a small part is reckoned at. */
const PART_BYTES = 640

/** Reads from now on: cursors of what has come, and the code that it ended with. */
function follow(users: BusSubscription) {
  const state = { users, cursors: [] as string[], code: null as unknown }
  const read = async (): Promise<void> => {
    for await (const { change } of users) state.cursors.push(change.cursor)
  }
  read().catch((error: object) => {
    state.code = Reflect.get(error, 'code')
  })
  return state
}

it('whenever it is taken, also as the log is trimmed or within a transaction, it goes on with just what had not come', async () => {
  const step = fc.record({
    models: fc.array(fc.constantFrom('User', 'Post', 'Post'), { minLength: 1, maxLength: 4 }),
    cut: fc.nat(3),
    resumes: fc.array(fc.nat(40), { maxLength: 2 }),
  })
  let served = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.integer({ min: 0, max: 4 }),
      async (steps, keep) => {
        const log = { bytesMax: keep * PART_BYTES, ageMaxMs: 1e9, monotonicMs: () => 0 }
        const bus = createMemoryBus({ log })
        bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
        const { pull } = bus.subscribe({ model: 'User' })
        const written: AnyChange[] = []
        const bookmarks: { readonly cursor: string; readonly seen: number }[] = []
        const coming: {
          readonly by: ReturnType<typeof follow>
          readonly seen: number
          readonly missed: boolean
        }[] = []
        let seen = 0
        const look = (): void => {
          while (pull?.take() !== undefined) seen += 1
          const cursor = pull?.bookmark?.() ?? null
          if (cursor !== null) bookmarks.push({ cursor, seen })
        }
        look()
        for (const [n, { models, cut, resumes }] of steps.entries()) {
          const transaction = plainTransaction((n + 1) * 10)
          const changes = models.map((model, index) =>
            plainChange({ model, index, transaction, key: { id: index } }),
          )
          for (const part of [changes.slice(0, cut), changes.slice(cut)]) {
            const isFinal = part.at(-1) === changes.at(-1) || (part.length === 0 && cut > 0)
            if (part.length === 0) continue
            bus.publish({ transaction, changes: part, isFinal, byteLength: 0 })
            written.push(...part.filter(({ model }) => model === 'User'))
            look()
          }
          for (const pick of resumes) {
            const taken = bookmarks[pick % Math.max(1, bookmarks.length)]
            if (taken === undefined) continue
            const users = bus.subscribe({ model: 'User', after: taken.cursor })
            coming.push({ by: follow(users), seen: taken.seen, missed: written.length > taken.seen })
          }
          // Who has nothing to read is live after that.
          for (let round = 0; round < 3 && resumes.length > 0; round += 1) await turn()
        }
        for (const { by, seen: before, missed } of coming) {
          const expected = written.slice(before).map(({ cursor }) => cursor)
          const isComing = (): boolean => by.code === null && by.cursors.length < expected.length
          for (let turns = 0; turns < 1_000 && isComing(); turns += 1) await turn()
          // Only whoever missed something may have to read all again.
          if (!missed || by.code === null) expect(by).toMatchObject({ code: null, cursors: expected })
          else expect(by.code).toBe('RESYNC_REQUIRED')
          served += Number(by.code === null)
          await by.users.return()
        }
      },
    ),
    { numRuns: process.env['ROWCAST_LONG'] === '1' ? 20_000 : 150 },
  )
  expect(served).toBeGreaterThan(50)
})
