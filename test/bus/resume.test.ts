/** Cursors: whoever comes back with one gets exactly what it missed, or is shown that it cannot. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { Account } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { NODE_TIMERS } from '../../src/bus/time-slices.ts'
import type { AnyChange, ChangeAction } from '../../src/changes/change.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import type { StreamStart } from '../../src/source/watch/session-start.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { seeing } from '../support/seeing.ts'

const start = (floor: number, server: number, origin = PLAIN_ORIGIN): StreamStart => ({
  ...origin,
  isFirst: true,
  floorLsn: toLsn(BigInt(floor)),
  serverLsn: toLsn(BigInt(server)),
})

/** What the log reckons for a part of one change without bytes. */
const SMALL_PART_BYTES = 640

const cursorAt = (commit: number, index: number, origin = PLAIN_ORIGIN) =>
  formatCursor(origin, toLsn(BigInt(commit)), index)

function transactionOf(
  commit: number,
  models: readonly string[],
  action: ChangeAction = 'INSERT',
): AnyChange[] {
  const transaction = plainTransaction(commit)
  return models.map((model, index) => plainChange({ model, action, index, transaction, key: { id: index } }))
}

function publish(bus: ReturnType<typeof createMemoryBus>, changes: AnyChange[], cut = 0): void {
  const { transaction } = changes[0] as AnyChange
  if (cut > 0) bus.publish({ transaction, changes: changes.slice(0, cut), isFinal: false, byteLength: 0 })
  bus.publish({ transaction, changes: changes.slice(cut), isFinal: true, byteLength: 0 })
}

async function take(subscription: BusSubscription, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const result = await subscription.next()
    if (result.done) throw new Error(`The subscription ended after ${taken.length} of ${count} deliveries.`)
    taken.push(result.value)
  }
  return taken
}

const places = (deliveries: readonly Delivery[]) =>
  deliveries.map((d) => [Number(d.change.transaction.commitLsn), d.change.index, d.isLastOfTransaction])

describe('resuming with a cursor', () => {
  it('replays what was missed and goes on live, without a gap or a repetition at the seam', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    publish(bus, transactionOf(10, ['User', 'User', 'Post', 'User']))
    publish(bus, transactionOf(20, ['User']))
    const users = bus.subscribe({ model: 'User', after: cursorAt(10, 0) })
    expect(places(await take(users, 2))).toEqual([
      [10, 1, false],
      [10, 3, true],
    ])
    publish(bus, transactionOf(30, ['User']))
    expect(places(await take(users, 2))).toEqual([
      [20, 0, true],
      [30, 0, true],
    ])
    const waiting = users.next()
    publish(bus, transactionOf(40, ['User']))
    expect((await waiting).value?.change.transaction.xid).toBe(40)
  })

  it('may catch up in the middle of a transaction that has arrived in part', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    const changes = transactionOf(10, ['User', 'User', 'User', 'Post'])
    const { transaction } = changes[0] as AnyChange
    bus.publish({ transaction, changes: changes.slice(0, 2), isFinal: false, byteLength: 0 })
    const users = bus.subscribe({ model: 'User', after: 'earliest' })
    expect(places(await take(users, 1))).toEqual([[10, 0, false]])
    const next = users.next()
    // The turn in which it finds the log exhausted and goes live.
    await new Promise((resolve) => setImmediate(resolve))
    bus.publish({ transaction, changes: changes.slice(2), isFinal: true, byteLength: 0 })
    expect(places([(await next).value as Delivery, ...(await take(users, 1))])).toEqual([
      [10, 1, false],
      [10, 2, true],
    ])
    const last = bus.subscribe({ model: 'Post', after: 'earliest' })
    bus.publish({ transaction: plainTransaction(20), changes: [], isFinal: true, byteLength: 0 })
    expect(places(await take(last, 1))).toEqual([[10, 3, true]])
  })

  it('may stand ahead of what has arrived of its transaction', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 50))
    const changes = transactionOf(10, ['User', 'User', 'User', 'User'])
    const { transaction } = changes[0] as AnyChange
    bus.publish({ transaction, changes: changes.slice(0, 2), isFinal: false, byteLength: 0 })
    const users = bus.subscribe({ model: 'User', after: cursorAt(10, 2) })
    const next = users.next()
    bus.publish({ transaction, changes: changes.slice(2), isFinal: true, byteLength: 0 })
    expect(places([(await next).value as Delivery])).toEqual([[10, 3, true]])
  })

  it('may begin before the first stream: it waits for the history, then replays', async () => {
    const bus = createMemoryBus()
    const users = bus.subscribe({ model: 'User', after: cursorAt(10, 0) })
    const earliest = bus.subscribe({ model: 'User', after: 'earliest' })
    const live = bus.subscribe({ model: 'User' })
    const next = users.next()
    bus.open(start(5, 25))
    publish(bus, transactionOf(10, ['User', 'User']))
    publish(bus, transactionOf(30, ['User']))
    expect((await next).value?.change.index).toBe(1)
    expect(places(await take(earliest, 3)).map(([commit]) => commit)).toEqual([10, 10, 30])
    // Without a cursor: not what had committed before this process came.
    expect(places(await take(live, 1))).toEqual([[30, 0, true]])
  })

  it('may end while it waits for the first stream', async () => {
    const bus = createMemoryBus()
    const controller = new AbortController()
    const users = bus.subscribe({ model: 'User', after: cursorAt(1, 0), signal: controller.signal })
    const next = users.next()
    controller.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  it.each([
    ['from another database', cursorAt(10, 0, { systemId: '1', timeline: 1 }), 'another database'],
    ['from another timeline', cursorAt(10, 0, { ...PLAIN_ORIGIN, timeline: 2 }), 'another timeline'],
    ['older than the log', cursorAt(4, 0), 'older than what is retained'],
    ['ahead of the database', cursorAt(99, 0), 'restored or has failed over'],
  ])('is refused for a cursor %s', async (_case, after, reason) => {
    const bus = createMemoryBus()
    bus.open(start(6, 8))
    publish(bus, transactionOf(10, ['User']))
    await expect(bus.subscribe({ model: 'User', after }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
      details: { reason: expect.stringContaining(reason) },
    })
  })

  it.each([
    '',
    'x',
    '01',
    'earliest ',
    cursorAt(1, 0).slice(1),
    `${cursorAt(1, 0)}0`,
    cursorAt(1, 0).toUpperCase(),
  ])('refuses %j at once as no cursor', (after) => {
    const bus = createMemoryBus()
    expect(() => bus.subscribe({ model: 'User', after })).toThrow(/\[BAD_CURSOR\]/)
  })

  it('accepts cursors of the timeline before a promotion, up to the promotion', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    publish(bus, transactionOf(10, ['User']))
    const promoted = { ...PLAIN_ORIGIN, timeline: 2 }
    bus.open({ ...start(11, 15, promoted), isFirst: false })
    const transaction = plainTransaction(20, { origin: promoted })
    publish(bus, [plainChange({ transaction })])
    expect(places(await take(bus.subscribe({ model: 'User', after: cursorAt(10, 0) }), 1))).toEqual([
      [20, 0, true],
    ])
    await expect(bus.subscribe({ model: 'User', after: cursorAt(12, 0) }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
    expect(bus.cursorBefore(SEES_ALL)).toBe(cursorAt(20, 0, promoted))
  })

  it('ends everybody at a gap, and no cursor from before it is good any more', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    publish(bus, transactionOf(10, ['User']))
    const users = bus.subscribe({ model: 'User' })
    bus.gap(new RowcastError('RESYNC_REQUIRED', 'The slot was lost.'))
    await expect(users.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    bus.open(start(50, 50))
    await expect(bus.subscribe({ model: 'User', after: cursorAt(10, 0) }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
  })

  it('is refused for cursors from before changes of its model went missing, and only for its model', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    for (const publishFirst of [false, true]) {
      if (publishFirst) publish(bus, transactionOf(10, ['User', 'Post']))
      const before = bus.cursorBefore(SEES_ALL) ?? ''
      bus.cut('User')
      const now = bus.cursorBefore(SEES_ALL) ?? ''
      expect(now > before).toBe(true)
      await expect(bus.subscribe({ model: 'User', after: before }).next()).rejects.toMatchObject({
        code: 'RESYNC_REQUIRED',
      })
      const users = bus.subscribe({ model: 'User', after: now })
      const posts = bus.subscribe({ model: 'Post', after: before })
      const commit = publishFirst ? 20 : 5
      publish(bus, transactionOf(commit, ['User', 'Post']))
      expect(places(await take(users, 1))).toEqual([[commit, 0, true]])
      expect(places(await take(posts, 1))).toEqual([[commit, 1, true]])
    }
  })

  it('is bounded in memory: old parts go by bytes and by age, and the floor says so', async () => {
    let nowMs = 0
    const bus = createMemoryBus({
      log: { bytesMax: 4 * SMALL_PART_BYTES, ageMaxMs: 100, monotonicMs: () => nowMs },
    })
    bus.open(start(1, 1))
    for (let commit = 10; commit <= 100; commit += 10) publish(bus, transactionOf(commit, ['User']))
    const tooOld = bus.subscribe({ model: 'User', after: cursorAt(50, 0) })
    await expect(tooOld.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    // Four parts fit; the cursor of the newest one that went is still good.
    const kept = bus.subscribe({ model: 'User', after: cursorAt(60, 0) })
    expect(places(await take(kept, 4)).map(([commit]) => commit)).toEqual([70, 80, 90, 100])
    nowMs = 200
    publish(bus, transactionOf(110, ['User']))
    await expect(bus.subscribe({ model: 'User', after: cursorAt(90, 0) }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
  })

  it('resumes a quiet model after others have filled the log many times over', async () => {
    const bus = createMemoryBus({
      log: { bytesMax: 3 * SMALL_PART_BYTES, ageMaxMs: 1e9, monotonicMs: () => 0 },
    })
    bus.open(start(1, 1))
    publish(bus, transactionOf(10, ['User']))
    publish(bus, transactionOf(20, ['User', 'Tag']))
    for (let commit = 30; commit < 130; commit += 1) publish(bus, transactionOf(commit, ['Post']))
    const users = bus.subscribe({ model: 'User', after: cursorAt(20, 0) })
    const missed = bus.subscribe({ model: 'User', after: cursorAt(10, 0) })
    const never = bus.subscribe({ model: 'Comment', after: cursorAt(10, 0) })
    await expect(missed.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    const [user, comment] = [users.next(), never.next()]
    publish(bus, transactionOf(200, ['Comment', 'User']))
    expect(places([(await user).value as Delivery, (await comment).value as Delivery])).toEqual([
      [200, 1, true],
      [200, 0, true],
    ])
  })

  it('is notified when it reads so slowly that the log goes on without it', async () => {
    const log = { bytesMax: 100_000, ageMaxMs: 1e9, monotonicMs: () => 0 }
    const bus = createMemoryBus({ queueLengthMax: 10, log })
    bus.open(start(1, 1))
    for (let commit = 10; commit < 410; commit += 1) publish(bus, transactionOf(commit, ['User']))
    const users = bus.subscribe({ model: 'User', after: 'earliest' })
    await take(users, 1)
    for (let commit = 1000; commit < 1600; commit += 1) publish(bus, transactionOf(commit, ['User']))
    await expect(take(users, 1000)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  })

  it('gives every cursor exactly the changes after it, or RESYNC_REQUIRED where the log no longer has them all', async () => {
    const transaction = fc.record({
      models: fc.array(fc.constantFrom('User', 'Post'), { minLength: 1, maxLength: 5 }),
      cut: fc.nat(4),
      subscribes: fc.array(fc.nat(60), { maxLength: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(transaction, { maxLength: 12 }),
        fc.integer({ min: 0, max: 40 }),
        async (all, keep) => {
          const bus = createMemoryBus({
            log: { bytesMax: keep * SMALL_PART_BYTES, ageMaxMs: 1e9, monotonicMs: () => 0 },
          })
          bus.open(start(1, 1))
          const published: AnyChange[] = []
          const subscriptions: { subscription: BusSubscription; from: number }[] = []
          all.forEach(({ models, cut, subscribes }, t) => {
            const changes = transactionOf((t + 1) * 10, models)
            publish(bus, changes, Math.min(cut, changes.length))
            published.push(...changes)
            for (const pick of subscribes) {
              const from = pick % published.length
              const after = (published[from] as AnyChange).cursor
              subscriptions.push({ subscription: bus.subscribe({ model: 'User', after }), from })
            }
          })
          const floor = bus.subscribe({ model: 'Post', after: 'earliest' })
          await floor.return()
          for (const { subscription, from } of subscriptions) {
            const expected = published.slice(from + 1).filter((c) => c.model === 'User')
            try {
              const got = await take(subscription, expected.length)
              expect(got.map((d) => d.change.cursor)).toEqual(expected.map((c) => c.cursor))
              const isLast = (c: AnyChange, i: number) =>
                expected[i + 1]?.transaction.xid !== c.transaction.xid
              expect(got.map((d) => d.isLastOfTransaction)).toEqual(expected.map(isLast))
              await subscription.return()
            } catch (error) {
              expect(error).toMatchObject({ code: 'RESYNC_REQUIRED' })
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('the cursor for now', () => {
  it('stands before every transaction that a snapshot cannot see yet', () => {
    const bus = createMemoryBus()
    expect(bus.cursorBefore(SEES_ALL)).toBeNull()
    bus.open(start(5, 5))
    expect(bus.cursorBefore(SEES_ALL)).toBe(cursorAt(4, INDEX_AFTER_ALL))
    for (const commit of [10, 20, 30, 40]) publish(bus, transactionOf(commit, ['User', 'User']))
    // What a snapshot has seen, every later one sees.
    expect(bus.cursorBefore(seeing((xid) => xid > 10))).toBe(cursorAt(4, INDEX_AFTER_ALL))
    expect(bus.cursorBefore(seeing((xid) => xid !== 20))).toBe(cursorAt(10, 1))
    expect(bus.cursorBefore(seeing((xid) => xid !== 40))).toBe(cursorAt(30, 1))
    expect(bus.cursorBefore(SEES_ALL)).toBe(cursorAt(40, 1))
  })

  it('stands before a transaction that no snapshot sees yet, also where the log has lost it', async () => {
    const bus = createMemoryBus({ log: { bytesMax: 0 } })
    bus.open(start(5, 5))
    for (const commit of [10, 20, 30]) publish(bus, transactionOf(commit, ['User']))
    const cursor = bus.cursorBefore(seeing((xid) => xid !== 20)) ?? ''
    await expect(bus.subscribe({ model: 'User', after: cursor }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
    expect(bus.cursorBefore(SEES_ALL)).toBe(cursorAt(30, 0))
  })

  it('is not given behind a gap before all that committed in the gap is visible', () => {
    const bus = createMemoryBus()
    bus.open(start(5, 5))
    const seesAll = { seesAllBefore: (bound: bigint | null) => bound !== null && bound <= 60n }
    const someone = Object.assign(() => true, seesAll)
    bus.history?.earlier.ask(5n)
    expect(bus.cursorBefore(someone)).toBe(cursorAt(4, INDEX_AFTER_ALL))
    const position = { commitLsn: toLsn(50n), index: INDEX_AFTER_ALL }
    bus.cut('User', { position, cleanFrom: toLsn(30n), error: new RowcastError('RESYNC_REQUIRED', 'Cut.') })
    expect(bus.cursorBefore(someone)).toBeNull()
    bus.history?.earlier.ask(70n)
    expect(bus.cursorBefore(someone)).toBeNull()
    expect(bus.cursorBefore(SEES_ALL)).toBe(bus.history?.newestCursor)
  })

  it('costs what came since it was last asked for, however much is retained', () => {
    const bus = createMemoryBus()
    bus.open(start(5, 5))
    for (let commit = 10; commit < 2_000; commit += 1) publish(bus, transactionOf(commit, ['User']))
    let asked = 0
    const isVisible = seeing((xid) => {
      asked += 1
      return xid < 2_000
    })
    expect(bus.cursorBefore(isVisible)).toBe(cursorAt(1_999, 0))
    asked = 0
    for (let times = 0; times < 100; times += 1) bus.cursorBefore(isVisible)
    expect(asked).toBe(0)
    publish(bus, transactionOf(2_000, ['User']))
    expect(bus.cursorBefore(isVisible)).toBe(cursorAt(1_999, 0))
    expect(bus.cursorBefore(SEES_ALL)).toBe(cursorAt(2_000, 0))
    expect(asked).toBe(1)
  })
})

describe('catching up', () => {
  it('is for so many at once, and begins again when one has caught up or left', async () => {
    const bus = createMemoryBus()
    bus.open(start(1, 1))
    for (const commit of [10, 20, 30]) publish(bus, transactionOf(commit, ['User']))
    const account = new Account({}, [new Account({ replaysMax: 2 })])
    const ask = () => bus.subscribe({ model: 'User', after: cursorAt(10, 0), account })
    const first = ask()
    const second = ask()
    expect(ask).toThrow(expect.objectContaining({ code: 'TOO_MANY_REPLAYS', isPublic: true }))
    expect(bus.subscriptionCounts.get('User')).toBe(2)
    // Others, and those without a cursor, are not concerned.
    await bus.subscribe({ model: 'User', account }).return()
    await second.return()
    const third = ask()
    expect(ask).toThrow(/\[TOO_MANY_REPLAYS\]/)
    await take(first, 2)
    const waiting = first.next()
    await new Promise((resolve) => setImmediate(resolve))
    expect(account.replays).toBe(1)
    const fourth = ask()
    for (const each of [first, third, fourth]) await each.return()
    expect((await waiting).done).toBe(true)
    expect(account.replays).toBe(0)
  })

  it('reads the log once for all who are at the same position', async () => {
    // No slice is over by the clock, however busy the machine is.
    const bus = createMemoryBus({ timers: { ...NODE_TIMERS, nowMs: () => 0 } })
    bus.open(start(1, 1))
    let made = 0
    const changes = transactionOf(10, ['User', 'User', 'User'])
    const list = {
      length: changes.length,
      at(offset: number) {
        made += 1
        return changes[offset]
      },
      modelAt: () => 'User',
      indexAt: (offset: number) => offset,
      [Symbol.iterator]: () => changes[Symbol.iterator](),
    }
    const { transaction } = changes[0] as AnyChange
    bus.publish({ transaction, changes: list, isFinal: true, byteLength: 0 })
    const all = Array.from({ length: 100 }, () => bus.subscribe({ model: 'User', after: 'earliest' }))
    const got = await Promise.all(all.map((each) => take(each, 3)))
    for (const each of got) expect(places(each)).toEqual([10, 10, 10].map((c, i) => [c, i, i === 2]))
    expect(made).toBeLessThanOrEqual(6)
  })
})

describe('a slow subscriber', () => {
  it('gets from the log what its queue had no room for', async () => {
    const bus = createMemoryBus({ queueLengthMax: 2 })
    bus.open(start(1, 1))
    const users = bus.subscribe({ model: 'User' })
    const commits = Array.from({ length: 50 }, (_, n) => 10 + n)
    for (const commit of commits) publish(bus, transactionOf(commit, ['User', 'Post', 'User']))
    const expected = commits.flatMap((commit) => [
      [commit, 0, false],
      [commit, 2, true],
    ])
    expect(places(await take(users, expected.length))).toEqual(expected)
    const next = users.next()
    publish(bus, transactionOf(100, ['User']))
    expect((await next).value?.change.transaction.xid).toBe(100)
  })

  it('is shown which change to go on after where there is no log', async () => {
    const bus = createMemoryBus({ queueLengthMax: 2, log: { bytesMax: 0 } })
    bus.open(start(1, 1))
    publish(bus, transactionOf(10, ['User']))
    const users = bus.subscribe({ model: 'User' })
    publish(bus, transactionOf(20, ['User']))
    await take(users, 1)
    for (const commit of [30, 40, 50]) publish(bus, transactionOf(commit, ['User']))
    await expect(users.next()).rejects.toMatchObject({
      code: 'SUBSCRIBER_TOO_SLOW',
      details: { cursor: cursorAt(20, 0) },
    })
  })

  it('that conflates gets the latest change of each row, in order, and is never more than the bound behind', async () => {
    const bus = createMemoryBus({ queueLengthMax: 10, overflow: 'conflate' })
    bus.open(start(1, 1))
    const users = bus.subscribe({ model: 'User' })
    for (let commit = 10; commit < 1000; commit += 1) {
      const transaction = plainTransaction(commit)
      publish(bus, [plainChange({ transaction, key: { id: commit % 3 }, new: { at: commit } })])
    }
    await users.return()
    const again = bus.subscribe({ model: 'User' })
    for (let commit = 1000; commit < 1100; commit += 1) {
      const transaction = plainTransaction(commit)
      publish(bus, [plainChange({ transaction, key: { id: commit % 3 }, new: { at: commit } })])
    }
    const latest = new Map<unknown, unknown>()
    let taken = 0
    const last = cursorAt(1099, 0)
    for (;;) {
      const [delivery] = await take(again, 1)
      taken += 1
      latest.set(delivery?.change.key?.['id'], delivery?.change.new?.['at'])
      if (delivery?.change.cursor === last) break
    }
    expect(taken).toBeLessThanOrEqual(10)
    expect(latest).toEqual(
      new Map([
        [0, 1098],
        [1, 1099],
        [2, 1097],
      ]),
    )
  })

  it('that conflates more distinct rows than the bound is ended all the same', async () => {
    const bus = createMemoryBus({ queueLengthMax: 10, overflow: 'conflate' })
    const users = bus.subscribe({ model: 'User' })
    for (let commit = 10; commit < 40; commit += 1) {
      publish(bus, [plainChange({ transaction: plainTransaction(commit), key: { id: commit } })])
    }
    await expect(users.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW' })
  })
})

describe('a cursor of the process before', () => {
  const publishTen = (bus: ReturnType<typeof createMemoryBus>, from = 10) => {
    for (let commit = from; commit < from + 100; commit += 10) publish(bus, transactionOf(commit, ['User']))
  }
  const log = { bytesMax: 3 * SMALL_PART_BYTES, bytesReadMax: 10 * SMALL_PART_BYTES, ageMaxMs: 1 }
  const openBus = (monotonicMs = () => 0) => {
    const bus = createMemoryBus({ log: { ...log, monotonicMs } })
    bus.open({ ...start(5, 101), mayRecall: true })
    return bus
  }

  it.each([
    ['from before the log', cursorAt(6, 0), 10],
    ['within it', cursorAt(40, 0), 6],
  ])(
    '%s waits, and the log with it, until it is known whether something is missing',
    async (_, after, count) => {
      let nowMs = 0
      const bus = openBus(() => nowMs++)
      const first = bus.subscribe({ model: 'User', after })
      publishTen(bus)
      expect(first.pull?.take()).toBeUndefined()
      bus.lastChanges.endRecall()
      expect(places(await take(first, count)).at(-1)).toEqual([100, 0, true])
    },
  )

  it('holds no more than is kept for whoever reads, and nothing once it has ended', async () => {
    const bus = openBus()
    const late = bus.subscribe({ model: 'User', after: cursorAt(6, 0) })
    const gone = bus.subscribe({ model: 'User', after: cursorAt(6, 0) })
    publishTen(bus)
    publish(bus, transactionOf(110, ['User']))
    await gone.return?.()
    bus.lastChanges.endRecall()
    await expect(late.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    publishTen(bus, 120)
    expect(bus.history?.log.byteLength).toBeLessThanOrEqual(log.bytesMax)
  })
})
