/**
 * Whoever subscribes, pauses, reads slowly, comes back or is too late, beside others who do: each gets exactly the
 * changes that are for it, in order, or a typed end; and what waits stays within its bounds at every step.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AFTER_EARLIEST, type BusSubscription, type Delivery, type OlderLog } from '../../src/bus/bus.ts'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { FALSE, TRUE } from '../../src/bus/filter/outcome.ts'
import { Account, SLOT_BYTES } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { mergeDeliveries } from '../../src/bus/merge-deliveries.ts'
import type { MergedSubscription, TransactionDeliveries } from '../../src/bus/merged-subscription.ts'
import type { AnyChange, ChangeAction, ChangePosition, TransactionPart } from '../../src/changes/change.ts'
import { endOfPart } from '../../src/changes/change-views.ts'
import { comparePositions } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const PLAIN: Way = { isConflating: false, isFiltering: false, isEager: false, account: 0 }
const MODELS = ['User', 'Post', 'Tag'] as const
const SPECS = Object.fromEntries(MODELS.map((name) => [name, buildModel([buildField('n', 'Int')], { name })]))
/** Every third row is none of its; judging one takes a while. */
const COSTLY = createChangeFilter({
  new: {
    kind: 'test',
    field: 'n',
    takesNull: false,
    preparation: null,
    cost: 40,
    test: (value) => (Number(value) % 3 === 0 ? FALSE : TRUE),
  },
})
const ACTIONS: readonly ChangeAction[] = ['INSERT', 'UPDATE', 'DELETE']
/** What the log reckons for a part of one change. */
const PART_BYTES = 640
/** What one change of these takes in a queue, alone. */
const HELD_BYTES = 256 + SLOT_BYTES

/** How somebody subscribes. */
interface Way {
  /** Keeps the latest change of each row only. */
  readonly isConflating: boolean
  readonly isFiltering: boolean
  /** Takes what comes at once, as a socket with room does. */
  readonly isEager: boolean
  /** Which of the clients it belongs to. */
  readonly account: number
}

type Step =
  | { readonly kind: 'publish'; readonly rows: readonly (readonly [number, number])[]; readonly cut: number }
  | {
      readonly kind: 'subscribe'
      readonly model: number
      readonly actions: number
      readonly from: number | null | 'earliest'
      readonly way: Way
    }
  /** To two models as one; `models`: which of them it leaves out. */
  | { readonly kind: 'merge'; readonly models: number; readonly from: number | null }
  | { readonly kind: 'take'; readonly who: number; readonly count: number }
  | { readonly kind: 'turn'; readonly count: number; readonly ms: number }
  | { readonly kind: 'abort'; readonly who: number }
  | { readonly kind: 'leave'; readonly who: number }

const row = fc.tuple(fc.nat(2), fc.nat(2))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      rows: fc.array(row, { minLength: 1, maxLength: 20 }),
      cut: fc.nat(20),
    }),
    weight: 5,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      model: fc.nat(2),
      actions: fc.nat(7),
      from: fc.option(fc.nat(72)).map((at) => (at !== null && at > 60 ? ('earliest' as const) : at)),
      way: fc.record({
        isConflating: fc.boolean(),
        isFiltering: fc.boolean(),
        isEager: fc.boolean(),
        account: fc.nat(1),
      }),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('merge' as const),
      models: fc.nat(2),
      from: fc.option(fc.nat(60)),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('take' as const), who: fc.nat(9), count: fc.nat(6) }),
    weight: 5,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('turn' as const), count: fc.nat(4), ms: fc.nat(400) }),
    weight: 4,
  },
  { arbitrary: fc.record({ kind: fc.constant('abort' as const), who: fc.nat(9) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(9) }), weight: 1 },
)

const bounds = fc.record({
  queueLengthMax: fc.integer({ min: 1, max: 12 }),
  heldMax: fc.integer({ min: 1, max: 20 }),
  logParts: fc.option(fc.integer({ min: 1, max: 12 })),
  readParts: fc.nat(10),
  hasOlder: fc.boolean(),
  olderParts: fc.integer({ min: 1, max: 8 }),
  olderTurns: fc.nat(2),
  accountMax: fc.option(fc.integer({ min: 1, max: 6 })),
  lookMs: fc.constantFrom(0, 1, 5),
  isLagging: fc.boolean(),
  olderKept: fc.option(fc.integer({ min: 1, max: 8 })),
})

type Bounds = typeof bounds extends fc.Arbitrary<infer Value> ? Value : never

/** One who subscribed, what it is to get, and what it got. */
interface Client {
  readonly subscription: BusSubscription
  readonly isWanted: (change: AnyChange) => boolean
  /** Changes published before it began, among all; null: whatever is kept no more. */
  readonly begins: number | null
  readonly isConflating: boolean
  readonly got: Delivery[]
  readonly abort: AbortController
}

/** The same of one who subscribed to several models at once: whole transactions. */
interface MergedClient {
  readonly subscription: MergedSubscription
  readonly expected: () => AnyChange[]
  readonly got: TransactionDeliveries[]
}

/** Everything that was published, as a broker would keep it. */
class Stream implements OlderLog {
  readonly parts: TransactionPart[] = []
  kept: number | null = null
  readonly #count: number
  readonly #turns: number

  constructor(count: number, turns: number) {
    this.#count = count
    this.#turns = turns
  }

  hasReached(): Promise<boolean> {
    return Promise.resolve(true)
  }

  read(_model: string, after: ChangePosition | null) {
    let next = this.parts.findIndex((part) => {
      const last = part.changes.at(part.changes.length - 1)
      return last !== undefined && (after === null || comparePositions(positionOf(last), after) > 0)
    })
    if (next < 0) next = this.parts.length
    let hasBegun = after !== null
    let position = after ?? { commitLsn: toLsn(0n), index: 0 }
    return {
      next: async () => {
        await Promise.resolve()
        for (let turns = 0; turns < this.#turns; turns += 1) await turn()
        if (!hasBegun) next = this.#beginning()
        if (next < this.parts.length - (this.kept ?? this.parts.length)) {
          throw new RowcastError('RESYNC_REQUIRED', 'It is gone.', { details: { reason: 'it is gone' } })
        }
        const parts = this.parts.slice(next, next + this.#count)
        next += parts.length
        hasBegun ||= parts.length > 0
        const last = parts.at(-1)
        if (last !== undefined) position = endOfPart(last)
        return parts
      },
      get position() {
        return position
      },
    }
  }

  /** All that is kept begins with a whole transaction. */
  #beginning(): number {
    let next = Math.max(0, this.parts.length - (this.kept ?? this.parts.length))
    while (next > 0 && next < this.parts.length && this.parts[next - 1]?.isFinal === false) next += 1
    return next
  }
}

const positionOf = ({ transaction, index }: AnyChange): ChangePosition => ({
  commitLsn: transaction.commitLsn,
  index,
})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class World {
  readonly published: AnyChange[] = []
  readonly clients: Client[] = []
  readonly merged: MergedClient[] = []
  readonly stream
  readonly bus
  readonly #accounts
  nowMs = 0
  readonly #heldMax: number
  readonly #queueLengthMax: number
  /** In the stream, and still to come to this bus, which may be behind it. */
  readonly #coming: TransactionPart[] = []
  #arrived = 0
  readonly #isLagging: boolean
  #commit = 10

  constructor(options: Bounds) {
    const { queueLengthMax, heldMax, logParts, readParts, hasOlder } = options
    this.#heldMax = heldMax * HELD_BYTES
    this.#queueLengthMax = queueLengthMax
    this.#isLagging = options.isLagging && hasOlder
    this.stream = new Stream(options.olderParts, options.olderTurns)
    this.stream.kept = options.olderKept
    const { accountMax } = options
    const bytesOfAccountMax = accountMax === null ? undefined : accountMax * HELD_BYTES
    this.#accounts = [0, 1].map(() => new Account({ bytesMax: bytesOfAccountMax }))
    const bytesMax = logParts === null ? 1e9 : logParts * PART_BYTES
    this.bus = createMemoryBus({
      ...{ queueLengthMax, heldBytesMax: this.#heldMax, queueBytesMax: 1e9 },
      log: { bytesMax, bytesReadMax: bytesMax + readParts * PART_BYTES, ageMaxMs: 1e9 },
      older: hasOlder ? this.stream : undefined,
      models: SPECS,
      timers: {
        soon: (run) => void setImmediate(run),
        later: (run) => {
          this.nowMs += 10
          setImmediate(run)
        },
        nowMs: () => {
          this.nowMs += options.lookMs
          return this.nowMs
        },
      },
    })
    this.bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  }

  publish(rows: readonly (readonly [number, number])[], cut: number): void {
    const transaction = plainTransaction(this.#commit)
    this.#commit += 10
    const changes = rows.map(([model, action], index) =>
      plainChange({
        model: MODELS[model] ?? '',
        action: ACTIONS[action] ?? 'INSERT',
        index,
        transaction,
        key: { id: index % 5 },
        new: { n: index },
      }),
    )
    const pieces = cut > 0 && cut < changes.length ? [changes.slice(0, cut), changes.slice(cut)] : [changes]
    pieces.forEach((piece, at) => {
      const part = { transaction, changes: piece, isFinal: at === pieces.length - 1, byteLength: 0 }
      this.stream.parts.push(part)
      this.published.push(...piece)
      this.#coming.push(part)
      if (!this.#isLagging) this.arrive()
    })
  }

  /** The next part comes from the stream. */
  arrive(): void {
    const part = this.#coming.shift()
    if (part === undefined) return
    this.#arrived += part.changes.length
    this.bus.publish(part)
    this.checkBounds()
  }

  subscribe(model: number, actionBits: number, from: number | null | 'earliest', way: Way = PLAIN): void {
    const name = MODELS[model] ?? 'User'
    const actions = ACTIONS.filter((_, bit) => (actionBits & (1 << bit)) !== 0)
    const isWanted = (change: AnyChange): boolean =>
      change.model === name &&
      (actions.length === 0 || actions.includes(change.action)) &&
      !(way.isFiltering && (change.index % 3 === 0 || change.action === 'DELETE'))
    const isEarliest = from === 'earliest'
    const at =
      from === null || isEarliest || this.published.length === 0 ? null : from % this.published.length
    const after = isEarliest ? AFTER_EARLIEST : at === null ? undefined : this.published[at]?.cursor
    const abort = new AbortController()
    const subscription = this.bus.subscribe({
      ...{ model: name, actions, after },
      filter: way.isFiltering ? COSTLY : null,
      overflow: way.isConflating ? 'conflate' : 'end',
      account: this.#accounts[way.account],
      signal: abort.signal,
    })
    const client: Client = {
      subscription,
      isWanted,
      isConflating: way.isConflating,
      begins: isEarliest ? null : at === null ? this.#arrived : at + 1,
      got: [],
      abort,
    }
    this.clients.push(client)
    const { pull } = subscription
    if (way.isEager && pull != null) {
      pull.reader = { onReadable: () => queueMicrotask(() => this.take(client, 1_000)) }
      this.take(client, 1_000)
    }
  }

  merge(without: number, from: number | null): void {
    const models = MODELS.filter((_, model) => model !== without)
    const at = from === null || this.published.length === 0 ? null : from % this.published.length
    const after = at === null ? undefined : this.published[at]?.cursor
    const begins = at === null ? this.#arrived : at + 1
    const subscription = mergeDeliveries(models, (model) => this.bus.subscribe({ model, after }), after)
    subscription.reader = { onReadable: () => queueMicrotask(() => this.takeMerged()) }
    this.merged.push({
      subscription,
      expected: () => this.published.slice(begins).filter(({ model }) => model !== MODELS[without]),
      got: [],
    })
    this.takeMerged()
  }

  takeMerged(): void {
    for (const { subscription, got } of this.merged) {
      for (let part = subscription.take(); part !== undefined; part = subscription.take()) got.push(part)
    }
  }

  /** In order, and the last part of a transaction is said to be the last, and no other. */
  checkMerged({ expected, got }: MergedClient): void {
    const all = expected()
    let count = 0
    for (const { deliveries, transaction, isLast } of got) {
      const cursors = deliveries.map(({ change }) => change.cursor)
      expect(cursors).toEqual(all.slice(count, count + deliveries.length).map(({ cursor }) => cursor))
      count += deliveries.length
      expect(isLast).toBe(all[count]?.transaction.commitLsn !== transaction.commitLsn)
    }
  }

  /** Takes until all is there or it has ended; the error it ended with, if any. */
  async finishMerged(client: MergedClient): Promise<unknown> {
    const { subscription, expected, got } = client
    for (let turns = 0; turns < 1_000; turns += 1) {
      for (const each of this.clients) this.take(each, 100)
      this.takeMerged()
      const last = got.at(-1)
      if (last?.isLast === true && last.deliveries.at(-1)?.change.cursor === expected().at(-1)?.cursor)
        return null
      if (subscription.isEnded) {
        return subscription.next().then(
          () => null,
          (error: unknown) => error,
        )
      }
      await turn()
      this.arrive()
    }
    return new Error('It lacks something.')
  }

  take(client: Client, count: number): void {
    for (let taken = 0; taken < count; taken += 1) {
      const delivery = client.subscription.pull?.take()
      if (delivery === undefined) return
      client.got.push(delivery)
    }
  }

  async turns(count: number, ms: number): Promise<void> {
    this.nowMs += ms
    for (let turns = 0; turns < count; turns += 1) {
      await turn()
      this.arrive()
      this.takeMerged()
      this.checkBounds()
    }
  }

  /** No more than the bounds, but for a change that was on its way: at once for all who read together. */
  checkBounds(): void {
    const slack = 2 * HELD_BYTES + (this.clients.length + 2 * this.merged.length) * 2 * SLOT_BYTES
    expect(this.bus.heldBytes).toBeLessThanOrEqual(this.#heldMax + slack)
    for (const { longest } of this.bus.backlogs().values()) {
      expect(longest).toBeLessThanOrEqual(this.#queueLengthMax + 1)
    }
  }

  expected({ begins, isWanted, got }: Client): AnyChange[] {
    return this.published.slice(begins ?? this.#beginningOf(got)).filter(isWanted)
  }

  /** Of whoever wants all there is, what it was given first; nobody says where that has to be, but what came last is kept. */
  #beginningOf([first]: readonly Delivery[]): number {
    if (first === undefined) return this.published.length - (this.stream.parts.at(-1)?.changes.length ?? 0)
    return this.published.findIndex(({ cursor }) => cursor === first.change.cursor)
  }

  checkPrefix(client: Client): void {
    if (client.isConflating) {
      this.checkLatest(client)
      return
    }
    const expected = this.expected(client).slice(0, client.got.length)
    expect(client.got.map(({ change }) => change.cursor)).toEqual(expected.map(({ cursor }) => cursor))
    const all = this.expected(client)
    if (client.abort.signal.aborted) return
    client.got.forEach(({ isLastOfTransaction }, at) => {
      const isLast = all[at + 1]?.transaction.commitLsn !== all[at]?.transaction.commitLsn
      expect(isLastOfTransaction).toBe(isLast)
    })
  }

  /** In order, nothing twice, and of each row at least what came last, up to what was got. */
  checkLatest(client: Client): void {
    const expected = this.expected(client)
    const places = client.got.map(({ change }) =>
      expected.findIndex(({ cursor }) => cursor === change.cursor),
    )
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
    const last = places.at(-1) ?? -1
    if (last !== expected.length - 1) return
    const latest = new Map(expected.map(({ key }, place) => [key?.['id'], place]))
    for (const place of latest.values()) expect(places).toContain(place)
  }

  isComplete({ got, isConflating }: Client, expected: readonly AnyChange[]): boolean {
    if (isConflating) return expected.at(-1)?.cursor === got.at(-1)?.change.cursor
    return got.length >= expected.length
  }

  /** Takes until all is there or it has ended; the error it ended with, if any. */
  async finish(client: Client): Promise<unknown> {
    for (let idle = 0; !this.isComplete(client, this.expected(client)) && idle < 300; ) {
      const before = client.got.length
      // Others of the same account make room for it.
      for (const each of this.clients) this.take(each, 100)
      if (client.got.length > before) idle = 0
      else {
        if (client.subscription.pull?.isEnded) {
          return client.subscription.next().then(
            () => null,
            (error: unknown) => error,
          )
        }
        idle += 1
        await turn()
        this.arrive()
      }
    }
    return null
  }
}

async function run(world: World, steps: readonly Step[]): Promise<void> {
  for (const each of steps) {
    const client = 'who' in each ? world.clients[each.who % Math.max(1, world.clients.length)] : undefined
    if (each.kind === 'publish') world.publish(each.rows, each.cut)
    else if (each.kind === 'subscribe') world.subscribe(each.model, each.actions, each.from, each.way)
    else if (each.kind === 'merge') world.merge(each.models, each.from)
    else if (each.kind === 'turn') await world.turns(each.count, each.ms)
    else if (client === undefined) continue
    else if (each.kind === 'take') world.take(client, each.count)
    else if (each.kind === 'abort') client.abort.abort()
    else {
      await client.subscription.return()
      world.clients.splice(world.clients.indexOf(client), 1)
    }
  }
}

it('who has read the newest transaction to its end from older entries goes on when more comes', async () => {
  const world = new World({
    ...{ queueLengthMax: 1, heldMax: 1, logParts: 1, readParts: 0, hasOlder: true },
    ...{ olderParts: 2, olderTurns: 0, accountMax: null, lookMs: 0, isLagging: false, olderKept: null },
  })
  world.publish(
    [
      [0, 0],
      [1, 0],
    ],
    0,
  )
  world.subscribe(1, 0, 0)
  const [client] = world.clients
  if (client === undefined) throw new Error('Nobody subscribed.')
  // Its consumer waits before anything is there.
  world.take(client, 1)
  await world.turns(3, 0)
  world.publish([[1, 0]], 0)
  expect(await world.finish(client)).toBeNull()
  expect(client.got.length).toBe(2)
})

it('who reads beside others that are further behind is notified of the last change of a transaction, and of no other', async () => {
  const world = new World({
    ...{ queueLengthMax: 1, heldMax: 1, logParts: 1, readParts: 0, hasOlder: true },
    ...{ olderParts: 1, olderTurns: 0, accountMax: null, lookMs: 0, isLagging: false, olderKept: null },
  })
  const [insert, update] = [0, 1]
  world.subscribe(0, 0, null)
  world.publish([[0, insert]], 0)
  world.subscribe(0, 5, null)
  world.publish(
    [update, insert, insert].map((action) => [0, action] as const),
    0,
  )
  world.publish(
    [insert, insert, insert].map((action) => [0, action] as const),
    0,
  )
  world.publish([[0, insert]], 0)
  for (const client of world.clients) {
    expect(await world.finish(client)).toBeNull()
    world.checkPrefix(client)
  }
})

it('who has read older entries beyond what its own process has come to goes on there once it has', async () => {
  const world = new World({
    ...{ queueLengthMax: 1, heldMax: 1, logParts: 1, readParts: 0, hasOlder: true },
    ...{ olderParts: 2, olderTurns: 0, accountMax: null, lookMs: 0, isLagging: true, olderKept: null },
  })
  const row = [0, 0] as const
  world.publish([row, row], 0)
  world.publish([row], 0)
  world.subscribe(0, 0, null, { ...PLAIN, isEager: true })
  world.publish([row], 0)
  const [client] = world.clients
  if (client === undefined) throw new Error('Nobody subscribed.')
  expect(await world.finish(client)).toBeNull()
  expect(client.got.length).toBe(4)
})

it('who reads older entries of one model is given nothing of a transaction that its own process has not come to, for another', async () => {
  const world = new World({
    ...{ queueLengthMax: 12, heldMax: 20, logParts: 1, readParts: 0, hasOlder: true },
    ...{ olderParts: 8, olderTurns: 0, accountMax: null, lookMs: 0, isLagging: true, olderKept: null },
  })
  const [user, post, tag] = [0, 1, 2] as const
  for (const model of [tag, user, user, user, user]) world.publish([[model, 0]], 0)
  await world.turns(5, 0)
  // Of User the log has lost something, and of Post nothing.
  world.merge(tag, 0)
  // The stream has it, and this process is still to come to it.
  world.publish(
    [post, user].map((model) => [model, 0] as const),
    0,
  )
  const [merged] = world.merged
  if (merged === undefined) throw new Error('Nobody subscribed.')
  for (let turns = 0; turns < 20; turns += 1) {
    await turn()
    world.takeMerged()
  }
  expect(merged.got.flatMap(({ deliveries }) => deliveries)).toHaveLength(4)
  expect(await world.finishMerged(merged)).toBeNull()
  world.checkMerged(merged)
})

const TIGHT: Bounds = {
  ...{ queueLengthMax: 1, heldMax: 1, logParts: 1, readParts: 0, hasOlder: true, olderParts: 1 },
  ...{ olderTurns: 0, accountMax: null, lookMs: 0, isLagging: false, olderKept: null },
}
const rows = (models: string): Step => ({
  kind: 'publish',
  rows: [...models].map((model) => [Number(model), 0] as const),
  cut: 0,
})
const subscribes = (model: number, from: number | null | 'earliest', way: Partial<Way>): Step => ({
  ...{ kind: 'subscribe', model, actions: 0, from },
  way: { ...PLAIN, ...way },
})

const INSERTS_AND_DELETE = [
  [0, 0],
  [0, 0],
  [0, 2],
] as const

/** What was found at random once. */
const FOUND: [Bounds, Step[]][] = [
  // It waits for its own process to come to its cursor, and is taken along by another that reads what is older: given twice.
  [
    { ...TIGHT, isLagging: true },
    [
      rows('000000000'),
      subscribes(1, 0, {}),
      ...['00001001001', '0', '0000', '00110'].map(rows),
      subscribes(1, 55, { isEager: true }),
    ],
  ],
  // Turns that last longer than a consumer may pause: what was read is let go before it has its turn, for ever.
  [
    { ...TIGHT, lookMs: 5 },
    [subscribes(0, null, { isFiltering: true }), { kind: 'publish', rows: INSERTS_AND_DELETE, cut: 0 }],
  ],
  // It comes with a cursor from before all that is kept, while another wants all there is, and was given that, as if it had missed nothing.
  [
    { ...TIGHT, olderKept: 2 },
    [
      ...['0', '0', '0', '0', '0'].map(rows),
      subscribes(0, 'earliest', { isEager: true }),
      subscribes(0, 0, { isEager: true }),
    ],
  ],
]

describe('slow and late subscribers', () => {
  it('get exactly what is for them, or a typed end, and memory stays bounded', {
    timeout: 120_000,
  }, async () => {
    let ended = 0
    let complete = 0
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { maxLength: 60 }), async (options, steps) => {
        const world = new World(options)
        await run(world, steps)
        world.publish(
          [
            [0, 0],
            [1, 0],
            [2, 0],
          ],
          0,
        )
        for (const client of world.clients) {
          const error = await world.finish(client)
          world.checkPrefix(client)
          // It ended where it was; what waited was for it all the same, unless there was no room for it.
          if (client.abort.signal.aborted) continue
          if (error === null) {
            complete += 1
            expect(world.isComplete(client, world.expected(client))).toBe(true)
            continue
          }
          ended += 1
          expect(error).toBeInstanceOf(RowcastError)
          expect(['RESYNC_REQUIRED', 'SUBSCRIBER_TOO_SLOW']).toContain((error as RowcastError).code)
          // Only where something has been trimmed, and nobody else keeps it.
          expect(options.logParts).not.toBeNull()
          expect(options.hasOlder && options.olderKept === null).toBe(false)
        }
        for (const client of world.merged) {
          const error = await world.finishMerged(client)
          world.checkMerged(client)
          if (error === null) continue
          expect(error).toBeInstanceOf(RowcastError)
          expect(['RESYNC_REQUIRED', 'SUBSCRIBER_TOO_SLOW']).toContain((error as RowcastError).code)
          expect(options.logParts).not.toBeNull()
          expect(options.hasOlder && options.olderKept === null).toBe(false)
        }
        for (const { subscription } of [...world.clients, ...world.merged]) await subscription.return()
        expect(world.bus.heldBytes).toBe(0)
      }),
      { numRuns: 10_000, examples: FOUND },
    )
    expect(complete).toBeGreaterThan(ended)
    expect(ended).toBeGreaterThan(0)
  })
})
