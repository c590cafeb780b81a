/**
 * Subscriptions to several models against what was published: whatever way it takes (in parts, live or read from the log, by who is
 * slow, who goes on after a cursor, who is ended), a merged subscription gives each transaction whole, in commit order, and
 * says of its last part that it is the last.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SubscriptionRequest } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { mergeDeliveries } from '../../src/bus/merge-deliveries.ts'
import { MergedSubscription, type TransactionDeliveries } from '../../src/bus/merged-subscription.ts'
import { serverStopping } from '../../src/bus/server-stopping.ts'
import type { AnyChange, ChangeAction } from '../../src/changes/change.ts'
import { isRowcastError, RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const NAMES = ['User', 'Post', 'Tag'] as const
const SPECS = Object.fromEntries(
  NAMES.map((name) => [name, buildModel([buildField('id', 'Int')], { name, table: name })]),
)
const ACTIONS: readonly ChangeAction[] = ['INSERT', 'UPDATE', 'DELETE']
const CHANGES_MAX = 3

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A change: its model and action. */
const row = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...ACTIONS))
/** A transaction: parts of changes. */
const transaction = fc.array(fc.array(row, { maxLength: 5 }), { minLength: 1, maxLength: 4 })
const consumer = fc.record({
  models: fc.subarray([...NAMES], { minLength: 1 }),
  action: fc.option(fc.constantFrom(...ACTIONS)),
  /** Of the changes published so far, the one it goes on after; beyond them: from now on. */
  from: fc.nat(12),
  /** How many parts it takes in a turn; the slow ones are read to from the log. */
  pace: fc.constantFrom(0.3, 1, 100),
  /** Whether it takes what is there, as a server's sockets do, and asks for the end only. */
  isPulling: fc.boolean(),
})
type Wanted = typeof consumer extends fc.Arbitrary<infer Value> ? Value : never
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant('publish' as const) },
  { weight: 2, arbitrary: fc.constant('turn' as const) },
  { weight: 2, arbitrary: consumer },
  { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
  /** Models whose subscriptions end, each with the cursor that the bus says. */
  { weight: 1, arbitrary: fc.record({ held: fc.subarray([...NAMES], { minLength: 1 }) }) },
)

/** The next part, or the end, for whoever takes what is there. */
async function nextByPull(merged: MergedSubscription): Promise<IteratorResult<TransactionDeliveries>> {
  for (;;) {
    const readable = new Promise<void>((resolve) => {
      merged.reader = { onReadable: resolve }
    })
    const value = merged.take()
    if (value !== undefined) return { done: false, value }
    if (merged.isEnded) return merged.next()
    await readable
  }
}

/** One who subscribed, and goes on after the cursor where it was ended. */
class Consumer {
  readonly got: TransactionDeliveries[] = []
  readonly expectedFrom: number
  readonly wanted: Wanted
  readonly #open: (after: string | undefined) => MergedSubscription
  #merged: MergedSubscription
  isOver = false

  constructor(
    wanted: Wanted,
    published: readonly AnyChange[],
    open: (after: string | undefined) => MergedSubscription,
  ) {
    this.wanted = wanted
    this.#open = open
    const after = published[wanted.from]
    this.expectedFrom = after === undefined ? published.length : wanted.from + 1
    this.#merged = open(after?.cursor)
    void this.#run()
  }

  async #run(): Promise<void> {
    for (let credit = 0; !this.isOver; ) {
      credit += this.wanted.pace
      if (credit < 1) {
        await turn()
        continue
      }
      credit -= 1
      try {
        const { isPulling } = this.wanted
        const { value, done } = await (isPulling ? nextByPull(this.#merged) : this.#merged.next())
        if (done === true) return
        this.got.push(value)
      } catch (error) {
        const cursor = isRowcastError(error) ? error.details['cursor'] : undefined
        if (typeof cursor !== 'string') throw error
        this.#merged = this.#open(cursor)
      }
    }
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.#merged.return()
  }
}

it('gives whole transactions in commit order, whoever reads how', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(transaction, { minLength: 1, maxLength: 8 }),
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (transactions, steps, queueLengthMax) => {
        const bus = createMemoryBus({ models: SPECS, queueLengthMax })
        bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
        const published: AnyChange[] = []
        const consumers: Consumer[] = []
        const parts = transactions.flatMap((each, at) => {
          let index = 0
          const info = plainTransaction((at + 1) * 10)
          return each.map((rows, part) => ({
            transaction: info,
            changes: rows.map(([model, action]) =>
              plainChange({ transaction: info, index: index++, model, action }),
            ),
            isFinal: part === each.length - 1,
            byteLength: 1,
          }))
        })
        const publish = () => {
          const part = parts.shift()
          if (part === undefined) return
          published.push(...part.changes)
          bus.publish(part)
        }
        const subscribe =
          ({ models, action }: Wanted) =>
          (after: string | undefined) => {
            const requests: SubscriptionRequest[] = models.map((model) => ({
              ...{ model, after },
              actions: action === null ? [] : [action],
            }))
            return new MergedSubscription(
              requests.map((request) => bus.subscribe(request)),
              after ?? null,
              { changesMax: CHANGES_MAX },
            )
          }
        for (const each of steps) {
          if (each === 'publish') publish()
          else if (each === 'turn') await turn()
          else if (typeof each === 'string')
            bus.close(
              new RowcastError('SUBSCRIBER_TOO_SLOW', 'It was ended.', { details: { cursor: 'of one' } }),
              each,
            )
          else if ('held' in each) {
            const held = new RowcastError('MODEL_UNAVAILABLE', 'It is held.')
            bus.hold(new Map(each.held.map((name) => [name, held])))
            bus.hold(new Map())
          } else consumers.push(new Consumer(each, published, subscribe(each)))
        }
        while (parts.length > 0) publish()
        for (const { got, wanted, expectedFrom } of consumers) {
          const expected = published
            .slice(expectedFrom)
            .filter(
              ({ model, action }) =>
                wanted.models.includes(model as never) && (wanted.action ?? action) === action,
            )
          for (
            let turns = 0;
            got.flatMap(({ deliveries }) => deliveries).length < expected.length && turns < 500;
            turns += 1
          )
            await turn()
          const cursors = got.flatMap(({ deliveries }) => deliveries.map(({ change }) => change.cursor))
          expect(cursors).toEqual(expected.map(({ cursor }) => cursor))
          for (const [at, { transaction: info, deliveries, isLast }] of got.entries()) {
            expect(deliveries.length).toBeLessThanOrEqual(CHANGES_MAX)
            expect(deliveries.every(({ change }) => change.transaction === info)).toBe(true)
            expect(isLast).toBe(got[at + 1]?.transaction !== info)
          }
        }
        await Promise.all(consumers.map((each) => each.stop()))
      },
    ),
    { numRuns: 300 },
  )
})

function openBus() {
  const bus = createMemoryBus({ models: SPECS })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const publish = (commit: number, isFinal: boolean, ...models: readonly string[]) => {
    const info = plainTransaction(commit)
    const changes = models.map((model, index) => plainChange({ transaction: info, index, model }))
    bus.publish({ transaction: info, changes, isFinal, byteLength: 1 })
    return changes
  }
  const merge = (...models: readonly string[]) =>
    mergeDeliveries(models, (model) => bus.subscribe({ model }), undefined)
  return { bus, publish, merge }
}

it.each([
  [1_024, [1_024]],
  [1_025, [1_024, 1]],
  [2_049, [1_024, 1_024, 1]],
])('a transaction of %i changes comes in parts of %j', async (changes, expected) => {
  const { publish, merge } = openBus()
  const merged = merge('User')
  publish(10, true, ...Array.from({ length: changes }, () => 'User'))
  const lengths: number[] = []
  for (let isLast = false; !isLast; ) {
    const { value } = await merged.next()
    lengths.push(value?.deliveries.length ?? 0)
    isLast = value?.isLast === true
  }
  expect(lengths).toEqual(expected)
  await merged.return()
})

it('a part has no more changes than a server lets one result have, and never more than it had before', async () => {
  const { publish, merge } = openBus()
  const merged = merge('User')
  merged.boundParts(2)
  merged.boundParts(4)
  publish(10, true, ...Array.from({ length: 5 }, () => 'User'))
  const parts = [await merged.next(), await merged.next(), await merged.next()]
  const lengths = parts.map(({ value }) => value?.deliveries.length)
  expect(lengths).toEqual([2, 2, 1])
  await merged.return()
})

it('ends with the cursor of what it gave, however far one of its models was', async () => {
  const { bus, publish, merge } = openBus()
  const merged = merge('User', 'Post')
  const [first] = publish(10, true, 'User')
  expect((await merged.next()).value?.transaction.xid).toBe(10)
  publish(20, false, 'User', 'Post', 'User')
  const waiting = merged.next()
  await turn()
  bus.stop(serverStopping)
  await expect(waiting).rejects.toMatchObject({ code: 'SERVER_STOPPING', details: { cursor: first?.cursor } })
  expect(await merged.next()).toEqual({ done: true, value: undefined })
  expect(bus.subscriptionCounts.get('User') ?? 0).toBe(0)
})

it('ends with the cursor of how far its models were, where nothing that came is missing', async () => {
  const bus = createMemoryBus({ models: SPECS })
  const publish = (commit: number, model: string) => {
    const info = plainTransaction(commit)
    const changes = [plainChange({ transaction: info, index: 0, model })]
    bus.publish({ transaction: info, changes, isFinal: true, byteLength: 1 })
    return changes[0]?.cursor
  }
  const merged = mergeDeliveries(['User', 'Post'], (model) => bus.subscribe({ model }), undefined)
  const waiting = merged.next()
  // Before the first stream there was no position.
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  publish(10, 'User')
  expect((await waiting).value?.transaction.xid).toBe(10)
  const asked = merged.next()
  await turn()
  // Of a model that nobody asked for: who goes on after it need not read it again.
  const passed = publish(20, 'Tag')
  bus.stop(serverStopping)
  const single = await bus
    .subscribe({ model: 'User' })
    .next()
    .catch((error: unknown) => error)
  expect(single).toMatchObject({ details: { cursor: passed } })
  await expect(asked).rejects.toMatchObject({ code: 'SERVER_STOPPING', details: { cursor: passed } })
})

it.each([
  ['asks for one after the other', (merged: MergedSubscription) => merged.next()],
  ['takes what is there', nextByPull],
])(
  'goes on behind a change that one of its models could not be given, and gives what stands before it, to who %s',
  async (_, next) => {
    const { bus, publish } = openBus()
    const merged = mergeDeliveries(['User', 'Post'], (model) => bus.subscribe({ model }), undefined)
    const [start] = publish(10, true, 'Post')
    const [, post, user, later] = publish(20, true, 'Post', 'Post', 'User', 'Post')
    publish(30, true, 'Post')
    const lacking = new RowcastError('FILTER_UNANSWERABLE', 'It needs more.', {
      details: { model: 'User', cursor: user?.cursor ?? null },
    })
    // As if the filter could not be answered for it: nothing of User was given.
    const one = mergeDeliveries(
      ['User', 'Post'],
      (model) => {
        const subscription = bus.subscribe({ model, after: start?.cursor })
        if (model === 'User') {
          void subscription.return()
          const ended = bus.subscribe({ model: 'Tag' })
          bus.close(lacking, 'Tag')
          return ended
        }
        return subscription
      },
      start?.cursor,
    )
    const before = await next(one)
    expect(before.value?.deliveries.map(({ change }: { change: AnyChange }) => change.cursor).at(-1)).toBe(
      post?.cursor,
    )
    expect(before.value?.isLast).toBe(false)
    await expect(next(one)).rejects.toMatchObject({
      code: 'FILTER_UNANSWERABLE',
      details: { cursor: user?.cursor },
    })
    expect(await next(one)).toEqual({ done: true, value: undefined })
    const rest = mergeDeliveries(
      ['User', 'Post'],
      (model) => bus.subscribe({ model, after: user?.cursor }),
      user?.cursor,
    )
    expect(
      (await next(rest)).value?.deliveries.map(({ change }: { change: AnyChange }) => change.cursor),
    ).toEqual([later?.cursor])
    await Promise.all([rest.return(), merged.return()])
  },
)

it('does not pass over the change that one lacks where another end comes first', async () => {
  const { bus, publish } = openBus()
  const [start, lacking, newest] = [10, 20, 30].map(
    (commit) => publish(commit, true, 'Post')[0]?.cursor ?? '',
  )
  const ended = bus.subscribe({ model: 'Tag' })
  const details = { cursor: lacking ?? '' }
  bus.close(new RowcastError('FILTER_UNANSWERABLE', 'It needs more.', { details }), 'Tag')
  const live = bus.subscribe({ model: 'Post', after: newest })
  const merged = new MergedSubscription([ended, live], start ?? null)
  bus.stop(serverStopping)
  await expect(merged.next()).rejects.toMatchObject({ code: 'SERVER_STOPPING', details: { cursor: start } })
})

it('ends with a cursor also where it began before the first stream and nothing came', async () => {
  const bus = createMemoryBus({ models: SPECS })
  const merged = mergeDeliveries(['User', 'Post'], (model) => bus.subscribe({ model }), undefined)
  const waiting = merged.next()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  await turn()
  bus.stop(serverStopping)
  const error: unknown = await waiting.catch((thrown: unknown) => thrown)
  const cursor = isRowcastError(error) ? error.details['cursor'] : null
  expect(cursor).toBeTypeOf('string')
})

it('answers in order whoever asks more than once, and ends at once', async () => {
  const { bus, publish, merge } = openBus()
  const merged = merge('User', 'Post')
  const answers = [merged.next(), merged.next(), merged.next()]
  publish(10, true, 'User', 'Post')
  publish(20, true, 'Post')
  expect([(await answers[0])?.value.transaction.xid, (await answers[1])?.value.transaction.xid]).toEqual([
    10, 20,
  ])
  await merged.return()
  expect(await answers[2]).toEqual({ done: true, value: undefined })
  expect([...bus.subscriptionCounts.values()].every((count) => count === 0)).toBe(true)
})

it('opens all or none', () => {
  const { bus } = openBus()
  expect(() =>
    mergeDeliveries(
      ['User', 'Nobody'],
      (model) => {
        if (model === 'Nobody') throw new RowcastError('CATALOG_UNKNOWN_MODEL', 'There is none.')
        return bus.subscribe({ model })
      },
      undefined,
    ),
  ).toThrow('CATALOG_UNKNOWN_MODEL')
  expect(bus.subscriptionCounts.get('User') ?? 0).toBe(0)
})

/** What a delivery weighs in a queue. */
const weightOf = (delivery: object | undefined): number =>
  Number(Reflect.get(Object(Reflect.get(Object(delivery), 'weight')), 'bytes'))

/** One transaction of so many changes, each of so many bytes, as its parts. */
async function partsOf(count: number, bytes: number, bounds?: { readonly bytesMax: number }) {
  const { bus } = openBus()
  const merged = new MergedSubscription([bus.subscribe({ model: 'User' })], null, bounds)
  const info = plainTransaction(100)
  const changes = Array.from({ length: count }, (_, index) =>
    plainChange({ transaction: info, index, model: 'User' }),
  )
  bus.publish({
    ...{ transaction: info, isFinal: true, byteLength: count * bytes },
    changes: Object.assign(changes, { bytesAt: () => bytes }),
  })
  const parts: TransactionDeliveries[] = []
  do parts.push((await merged.next()).value as TransactionDeliveries)
  while (parts.at(-1)?.isLast === false)
  await merged.return()
  return parts
}

it.each([
  ['just below', -1, 2],
  ['at', 0, 2],
  ['just above', 1, 3],
])(
  'a part ends with the change that brings it to its bytes: a bound %s two changes',
  async (_, more, length) => {
    const [first] = await partsOf(1, 5_000)
    const weight = weightOf(first?.deliveries[0])
    expect(weight).toBeGreaterThan(5_000)
    const parts = await partsOf(6, 5_000, { bytesMax: 2 * weight + more })
    expect(parts.map(({ deliveries }) => deliveries.length)).toEqual(new Array(6 / length).fill(length))
    expect(parts.map(({ isLast }) => isLast)).toEqual(parts.map((part) => part === parts.at(-1)))
  },
)

it.each([
  ['of one that is larger than a part', 3, 2_000_000],
  ['of some', 60, 100_000],
  ['of many that are small', 5_000, 10],
])('parts have 1 MiB and 1,024 changes, and no change is cut: %s', async (_, count, bytes) => {
  const parts = await partsOf(count, bytes)
  expect(parts.flatMap(({ deliveries }) => deliveries.map(({ change }) => change.index))).toEqual(
    Array.from({ length: count }, (_each, index) => index),
  )
  for (const { deliveries, isLast } of parts) {
    const weights = deliveries.map(weightOf)
    const sum = weights.reduce((total, each) => total + each, 0)
    const isFull = sum >= 1_048_576 || deliveries.length === 1_024
    expect(isFull || isLast).toBe(true)
    // Without its last change it is below the bound.
    expect(sum - (weights.at(-1) ?? 0)).toBeLessThan(1_048_576)
    expect(deliveries.length).toBeLessThanOrEqual(1_024)
  }
})
