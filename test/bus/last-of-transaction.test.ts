/**
 * Whatever way a transaction takes (in parts, cut off and sent again, live or read from the log, among subscribers who come,
 * leave, end or fall behind), a delivery says that it is the last of its transaction exactly where it is.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { type ChangeFilter, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { FALSE, TRUE } from '../../src/bus/filter/outcome.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { AssemblyEvent } from '../../src/changes/assembly-event.ts'
import type { AnyChange, ChangeAction } from '../../src/changes/change.ts'
import { RowcastError } from '../../src/errors.ts'
import type { Message } from '../../src/pgoutput/messages.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel, buildRelation, buildTuple } from '../support/catalog-builder.ts'
import { text } from '../support/message-builder.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const NAMES = ['User', 'Post'] as const
const MODELS = NAMES.map((name) => buildModel([buildField('id', 'Int')], { name, table: name }))
const SPECS = Object.fromEntries(MODELS.map((model) => [model.name, model]))
/** Values of `id`. */
const IDS = 6
const BYTES_OF_PART = 640
/** What one change takes in a queue, about. */
const BYTES_OF_CHANGE = 300

const TUPLES = Array.from({ length: IDS }, (_, id) => buildTuple(text(String(id))))

/** Every third row is none of its. */
function filterOf(key: string | null, cost: number): ChangeFilter | null {
  const test = (value: unknown) => (Number(value) % 3 === 0 ? FALSE : TRUE)
  const parts = { kind: 'test', field: 'id', takesNull: false, preparation: null, cost, test } as const
  return createChangeFilter({ new: parts }, key)
}

/** By how they are shared, and whether they can be put off. */
const FILTERS = [null, filterOf('cheap', 1), filterOf('costly', 40), filterOf(null, 1)]

/** A row's change: its model, or 2 for a table of none, its action and its `id`. */
const row = fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), fc.constantFrom(0, 0, 0, 1, 1, 2, 3), fc.nat(IDS - 1))
type Row = typeof row extends fc.Arbitrary<infer Value> ? Value : never

const kind = <Name extends string>(name: Name) => fc.constant(name)

const subscribe = fc.record({
  kind: kind('subscribe'),
  model: fc.constantFrom(0, 0, 1),
  actions: fc.constantFrom<readonly ChangeAction[]>([], [], [], ['INSERT'], ['UPDATE', 'DELETE']),
  filter: fc.constantFrom(0, 0, 0, ...FILTERS.keys()),
  from: fc.option(fc.nat(60)),
  isConflating: fc.constantFrom(false, false, true),
  isEager: fc.boolean(),
})
const who = fc.nat(9)

const step = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({ kind: kind('send'), count: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 12, arbitrary: subscribe },
  { weight: 12, arbitrary: fc.record({ kind: kind('take'), who, count: fc.nat(9) }) },
  {
    weight: 9,
    arbitrary: fc.record({ kind: kind('turn'), count: fc.nat(4), ms: fc.nat(400) }),
  },
  { weight: 9, arbitrary: fc.record({ kind: kind('leave'), who }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('abort'), who }) },
  // The stream breaks, and PostgreSQL sends the transaction again.
  { weight: 4, arbitrary: fc.record({ kind: kind('break') }) },
  // The model cannot be read any more, or again: its changes in between are dropped.
  { weight: 1, arbitrary: fc.record({ kind: kind('alter'), model: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('cut'), model: fc.nat(1) }) },
)
type Request = typeof subscribe extends fc.Arbitrary<infer Value> ? Value : never
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const bounds = fc.record({
  partChangesMax: fc.integer({ min: 1, max: 5 }),
  queueLengthMax: fc.integer({ min: 1, max: 8 }),
  heldMax: fc.integer({ min: 2, max: 30 }),
  logParts: fc.constantFrom(0, 2, 8, 1_000),
  readParts: fc.constantFrom(0, 4, 1_000),
  lookMs: fc.constantFrom(0, 1, 5),
})
type Bounds = typeof bounds extends fc.Arbitrary<infer Value> ? Value : never

/** One who subscribed, and what it got. */
interface Client {
  readonly subscription: BusSubscription
  readonly abort: AbortController
  readonly isWanted: (change: AnyChange) => boolean
  readonly isConflating: boolean
  /** Each with what it said when it was taken. */
  readonly got: { readonly delivery: Delivery; readonly isLast: boolean }[]
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class World {
  readonly clients: Client[] = []
  /** All who ever were. */
  readonly everybody: Client[] = []
  readonly published: AnyChange[] = []
  readonly #bus
  readonly #assembler
  readonly #lookMs: number
  readonly #drifted = new Set<number>()
  readonly #transactions: readonly (readonly Row[])[]
  /** Of the open transaction, or the next, and of its next message: 0 is its Begin. */
  #transaction = 0
  #message = 0
  #nowMs = 0

  constructor(options: Bounds, transactions: readonly (readonly Row[])[]) {
    const { queueLengthMax, heldMax, logParts, readParts, partChangesMax } = options
    this.#transactions = transactions
    this.#lookMs = options.lookMs
    const bytesMax = logParts * BYTES_OF_PART
    const bus = createMemoryBus({
      ...{ queueLengthMax, heldBytesMax: heldMax * BYTES_OF_CHANGE, queueBytesMax: 1e9, models: SPECS },
      log: { bytesMax, bytesReadMax: bytesMax + readParts * BYTES_OF_PART, ageMaxMs: 1e9 },
      timers: {
        soon: (run) => void setImmediate(run),
        later: (run) => {
          this.#nowMs += 10
          setImmediate(run)
        },
        nowMs: () => {
          this.#nowMs += this.#lookMs
          return this.#nowMs
        },
      },
    })
    this.#bus = bus
    const registry = createRelationRegistry({ catalog: { enums: {} }, models: MODELS })
    this.#assembler = createTransactionAssembler(registry, { partChangesMax })
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
    for (const place of NAMES.keys()) this.#relate(place)
  }

  get isOver(): boolean {
    return this.#transaction >= this.#transactions.length
  }

  /** The stream gives its next messages. */
  send(count: number): void {
    for (let sent = 0; sent < count && !this.isOver; sent += 1) {
      const rows = this.#transactions[this.#transaction] ?? []
      const lsn = toLsn(BigInt(this.#transaction + 1) * 100n)
      const at = this.#message - 1
      this.#message += 1
      if (at < 0) {
        this.#take({ kind: 'begin', finalLsn: lsn, committedAtMicros: 0n, xid: this.#transaction + 1 })
      } else if (at < rows.length) {
        this.#take(messageOf(rows[at] as Row))
      } else {
        this.#transaction += 1
        this.#message = 0
        this.#take({ kind: 'commit', commitLsn: lsn, endLsn: toLsn(lsn + 50n), committedAtMicros: 0n })
      }
    }
  }

  break(): void {
    this.#message = 0
    this.#assembler.reset(PLAIN_ORIGIN)
    this.#bus.open({ ...PLAIN_ORIGIN, isFirst: false, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  }

  alter(place: number): void {
    if (!this.#drifted.delete(place)) this.#drifted.add(place)
    this.#relate(place)
  }

  cut(place: number): void {
    const model = NAMES[place] ?? 'User'
    const reason = 'what is published has changed'
    this.#bus.close(new RowcastError('RESYNC_REQUIRED', 'It was cut.', { details: { reason } }), model)
    this.#bus.cut(model)
  }

  subscribe({ model: place, actions, filter, from, isConflating, isEager }: Request): void {
    const model = NAMES[place] ?? 'User'
    const after = from === null || this.published.length === 0 ? null : from % this.published.length
    const abort = new AbortController()
    const subscription = this.#bus.subscribe({
      ...{ model, actions, signal: abort.signal, filter: FILTERS[filter] ?? null },
      after: after === null ? undefined : this.published[after]?.cursor,
      overflow: isConflating ? 'conflate' : 'end',
    })
    const isWanted = (change: AnyChange): boolean =>
      change.model === model &&
      (actions.length === 0 || actions.includes(change.action)) &&
      (filter === 0 || (change.new !== null && Number(change.new['id']) % 3 !== 0))
    const client: Client = { subscription, abort, isWanted, isConflating, got: [] }
    this.clients.push(client)
    this.everybody.push(client)
    if (!isEager || subscription.pull == null) return
    subscription.pull.reader = { onReadable: () => queueMicrotask(() => this.take(client, 1_000)) }
    this.take(client, 1_000)
  }

  take({ subscription, got }: Client, count: number): void {
    for (let taken = 0; taken < count; taken += 1) {
      const delivery = subscription.pull?.take()
      if (delivery === undefined) return
      got.push({ delivery, isLast: delivery.isLastOfTransaction })
    }
  }

  async turns(count: number, ms: number): Promise<void> {
    this.#nowMs += ms
    for (let turns = 0; turns < count; turns += 1) await turn()
  }

  /** Sends the rest, and lets everybody have what is there. */
  async finish(): Promise<void> {
    this.send(Number.POSITIVE_INFINITY)
    for (let idle = 0; idle < 5; ) {
      const count = () => this.everybody.reduce((sum, { got }) => sum + got.length, 0)
      const before = count()
      for (const client of this.clients) this.take(client, 100)
      idle = count() > before ? 0 : idle + 1
      await this.turns(2, 20)
    }
  }

  #relate(place: number): void {
    const isDrifted = this.#drifted.has(place)
    const oid = place + 1
    this.#take(buildRelation(isDrifted ? { other: 23 } : { id: 23 }, { oid, table: NAMES[place] ?? '' }))
  }

  #take(message: Message): void {
    for (const event of this.#assembler.accept(message, 20)) {
      this.#handOn(event)
      this.#assembler.handedOn(event)
    }
  }

  #handOn(event: AssemblyEvent): void {
    if (event.kind === 'drift') this.#bus.close(event.drift, event.model)
    if (event.kind === 'recovery') this.#bus.cut(event.model)
    if (event.kind === 'commit') this.#bus.passed(event.endLsn)
    if (event.kind !== 'part') return
    this.published.push(...event.part.changes)
    this.#bus.publish(event.part)
  }
}

function messageOf([place, action, id]: Row): Message {
  const relationOid = place + 1
  const tuple = TUPLES[id] as (typeof TUPLES)[number]
  const base = { streamXid: null, relationOid } as const
  if (action === 0) return { ...base, kind: 'insert', oldKind: 'none', old: null, new: tuple }
  if (action === 1) return { ...base, kind: 'update', oldKind: 'full', old: tuple, new: tuple }
  if (action === 2) return { ...base, kind: 'delete', oldKind: 'full', old: tuple, new: null }
  const tables = { relationOids: [relationOid], isCascade: false, isRestartIdentity: false }
  return { kind: 'truncate', streamXid: null, ...tables }
}

async function run(world: World, steps: readonly Step[]): Promise<void> {
  for (const each of steps) {
    const client = 'who' in each ? world.clients[each.who % Math.max(1, world.clients.length)] : undefined
    if (each.kind === 'send') world.send(each.count)
    else if (each.kind === 'break') world.break()
    else if (each.kind === 'alter') world.alter(each.model)
    else if (each.kind === 'cut') world.cut(each.model)
    else if (each.kind === 'subscribe') world.subscribe(each)
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

/** The last that was given of each transaction. */
function endsOf(got: Client['got']): Iterable<string> {
  const changes = got.map(({ delivery: { change } }) => change)
  return new Map(changes.map(({ transaction, cursor }) => [transaction.xid, cursor])).values()
}

/** What it got is what it wants, in order and without a hole, and says where a transaction ends; how often it does. */
function check(world: World, { isWanted, isConflating, got }: Client): number {
  const wanted = world.published.filter(isWanted)
  const places = new Map(wanted.map(({ cursor }, place) => [cursor, place]))
  const lasts = new Set(new Map(wanted.map(({ transaction, cursor }) => [transaction.xid, cursor])).values())
  const cursors = got.map(({ delivery }) => delivery.change.cursor)
  const first = places.get(cursors[0] ?? '') ?? 0
  const expected = isConflating
    ? wanted.map(({ cursor }) => cursor).filter((cursor) => cursors.includes(cursor))
    : wanted.slice(first, first + cursors.length).map(({ cursor }) => cursor)
  expect(cursors).toEqual(expected)
  // Where the last of a transaction fell away for a later change of its row, another one may say it.
  const ends = new Set(isConflating ? endsOf(got) : [])
  const isEnd = (cursor: string, isLast: boolean) => lasts.has(cursor) || (isLast && ends.has(cursor))
  expect(got.map(({ isLast }) => isLast)).toEqual(
    got.map(({ delivery, isLast }) => isEnd(delivery.change.cursor, isLast)),
  )
  // Who asks a delivery later hears the same.
  expect(got.map(({ delivery }) => delivery.isLastOfTransaction)).toEqual(got.map(({ isLast }) => isLast))
  return got.filter(({ isLast }) => isLast).length
}

it('a delivery says that it is the last of its transaction exactly where it is', {
  timeout: 120_000,
}, async () => {
  let within = 0
  let last = 0
  await fc.assert(
    fc.asyncProperty(
      bounds,
      fc.array(fc.array(row, { minLength: 1, maxLength: 20, size: 'max' }), { maxLength: 8, size: 'max' }),
      fc.array(subscribe, { minLength: 2, maxLength: 4 }),
      fc.array(step, { maxLength: 60, size: 'max' }),
      async (options, transactions, first, steps) => {
        const world = new World(options, transactions)
        await run(world, [...first, ...steps])
        await world.finish()
        for (const client of world.everybody) {
          const ends = check(world, client)
          last += ends
          within += client.got.length - ends
        }
        for (const { subscription } of world.clients) await subscription.return()
      },
    ),
    { numRuns: 1_000 },
  )
  expect(last).toBeGreaterThan(1_000)
  expect(within).toBeGreaterThan(1_000)
})
