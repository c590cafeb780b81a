/**
 * Whoever subscribes, pauses, reads slowly, comes back or is too late, beside others who do: each gets exactly the
 * changes that are for it, in order, or a typed end; and what waits stays within its bounds at every step.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BusSubscription, Delivery, OlderLog } from '../../src/bus/bus.ts'
import { SLOT_BYTES } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange, ChangeAction, ChangePosition, TransactionPart } from '../../src/changes/change.ts'
import { comparePositions } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_EPOCH, plainChange, plainTransaction } from '../support/plain-change.ts'

const MODELS = ['User', 'Post', 'Tag'] as const
const ACTIONS: readonly ChangeAction[] = ['INSERT', 'UPDATE', 'DELETE']
/** What the log reckons for a part of one change. */
const PART_BYTES = 640
/** What one change of these takes in a queue, alone. */
const HELD_BYTES = 256 + SLOT_BYTES

type Step =
  | { readonly kind: 'publish'; readonly rows: readonly (readonly [number, number])[]; readonly cut: number }
  | {
      readonly kind: 'subscribe'
      readonly model: number
      readonly actions: number
      readonly from: number | null
    }
  | { readonly kind: 'take'; readonly who: number; readonly count: number }
  | { readonly kind: 'turn'; readonly count: number; readonly ms: number }
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
      from: fc.option(fc.nat(60)),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('take' as const), who: fc.nat(9), count: fc.nat(6) }),
    weight: 5,
  },
  {
    arbitrary: fc.record({ kind: fc.constant('turn' as const), count: fc.nat(4), ms: fc.nat(400) }),
    weight: 4,
  },
  { arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(9) }), weight: 1 },
)

const bounds = fc.record({
  queueLengthMax: fc.integer({ min: 1, max: 12 }),
  heldMax: fc.integer({ min: 1, max: 20 }),
  logParts: fc.option(fc.integer({ min: 1, max: 12 })),
  readParts: fc.nat(10),
  hasOlder: fc.boolean(),
})

/** One who subscribed, what it is to get, and what it got. */
interface Client {
  readonly subscription: BusSubscription
  readonly isWanted: (change: AnyChange) => boolean
  /** Changes published before it began, among all. */
  readonly begins: number
  readonly got: Delivery[]
}

/** Everything that was published, as a broker would keep it. */
class Stream implements OlderLog {
  readonly parts: TransactionPart[] = []
  floor: ChangePosition = { commitLsn: toLsn(0n), index: 0 }

  hasReached(): Promise<boolean> {
    return Promise.resolve(true)
  }

  read(_model: string, after: ChangePosition | null) {
    let next = this.parts.findIndex((part) => {
      const last = part.changes.at(part.changes.length - 1)
      return last !== undefined && (after === null || comparePositions(positionOf(last), after) > 0)
    })
    if (next < 0) next = this.parts.length
    let position = after ?? { commitLsn: toLsn(0n), index: 0 }
    return {
      next: async () => {
        await Promise.resolve()
        const parts = this.parts.slice(next, next + 2)
        next += parts.length
        const last = parts.at(-1)
        if (last !== undefined) {
          const index = last.isFinal ? 0x80000000 : (last.changes.at(last.changes.length - 1)?.index ?? 0)
          position = { commitLsn: last.transaction.commitLsn, index }
        }
        return parts
      },
      get position() {
        return position
      },
    }
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
  readonly stream = new Stream()
  readonly bus
  nowMs = 0
  readonly #heldMax: number
  readonly #queueLengthMax: number
  #commit = 10

  constructor(options: {
    readonly queueLengthMax: number
    readonly heldMax: number
    readonly logParts: number | null
    readonly readParts: number
    readonly hasOlder: boolean
  }) {
    const { queueLengthMax, heldMax, logParts, readParts, hasOlder } = options
    this.#heldMax = heldMax * HELD_BYTES
    this.#queueLengthMax = queueLengthMax
    const bytesMax = logParts === null ? 1e9 : logParts * PART_BYTES
    this.bus = createMemoryBus({
      ...{ queueLengthMax, heldBytesMax: this.#heldMax, queueBytesMax: 1e9 },
      log: { bytesMax, bytesReadMax: bytesMax + readParts * PART_BYTES, ageMaxMs: 1e9 },
      older: hasOlder ? this.stream : undefined,
      timers: {
        soon: (run) => void setImmediate(run),
        later: (run) => {
          this.nowMs += 10
          setImmediate(run)
        },
        nowMs: () => this.nowMs,
      },
    })
    this.bus.open({ ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
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
        key: { id: index },
      }),
    )
    const pieces = cut > 0 && cut < changes.length ? [changes.slice(0, cut), changes.slice(cut)] : [changes]
    pieces.forEach((piece, at) => {
      const part = { transaction, changes: piece, isFinal: at === pieces.length - 1, byteLength: 0 }
      this.stream.parts.push(part)
      this.bus.publish(part)
      this.published.push(...piece)
      this.checkBounds()
    })
  }

  subscribe(model: number, actionBits: number, from: number | null): void {
    const name = MODELS[model] ?? 'User'
    const actions = ACTIONS.filter((_, bit) => (actionBits & (1 << bit)) !== 0)
    const isWanted = (change: AnyChange): boolean =>
      change.model === name && (actions.length === 0 || actions.includes(change.action))
    const at = from === null || this.published.length === 0 ? null : from % this.published.length
    const after = at === null ? undefined : this.published[at]?.cursor
    const subscription = this.bus.subscribe({ model: name, actions, after })
    this.clients.push({
      subscription,
      isWanted,
      begins: at === null ? this.published.length : at + 1,
      got: [],
    })
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
      this.checkBounds()
    }
  }

  /** No more than the bounds, but for a change that was on its way: at once for all who read together. */
  checkBounds(): void {
    const slack = 2 * HELD_BYTES + this.clients.length * 2 * SLOT_BYTES
    expect(this.bus.heldBytes).toBeLessThanOrEqual(this.#heldMax + slack)
    for (const { longest } of this.bus.backlogs().values()) {
      expect(longest).toBeLessThanOrEqual(this.#queueLengthMax + 1)
    }
  }

  expected({ begins, isWanted }: Client): AnyChange[] {
    return this.published.slice(begins).filter(isWanted)
  }

  checkPrefix(client: Client): void {
    const expected = this.expected(client).slice(0, client.got.length)
    expect(client.got.map(({ change }) => change.cursor)).toEqual(expected.map(({ cursor }) => cursor))
    const all = this.expected(client)
    client.got.forEach(({ isLastOfTransaction }, at) => {
      const isLast = all[at + 1]?.transaction.commitLsn !== all[at]?.transaction.commitLsn
      expect(isLastOfTransaction).toBe(isLast)
    })
  }

  /** Takes until all is there or it has ended; the error it ended with, if any. */
  async finish(client: Client): Promise<unknown> {
    const count = this.expected(client).length
    for (let idle = 0; client.got.length < count && idle < 300; ) {
      const before = client.got.length
      this.take(client, 100)
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
      }
    }
    return null
  }
}

async function run(world: World, steps: readonly Step[]): Promise<void> {
  for (const each of steps) {
    const client = 'who' in each ? world.clients[each.who % Math.max(1, world.clients.length)] : undefined
    if (each.kind === 'publish') world.publish(each.rows, each.cut)
    else if (each.kind === 'subscribe') world.subscribe(each.model, each.actions, each.from)
    else if (each.kind === 'turn') await world.turns(each.count, each.ms)
    else if (client === undefined) continue
    else if (each.kind === 'take') world.take(client, each.count)
    else {
      await client.subscription.return()
      world.clients.splice(world.clients.indexOf(client), 1)
    }
  }
}

it('who has read the newest transaction to its end from older entries goes on when more comes', async () => {
  const world = new World({ queueLengthMax: 1, heldMax: 1, logParts: 1, readParts: 0, hasOlder: true })
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
          if (error === null) {
            complete += 1
            expect(client.got.length).toBe(world.expected(client).length)
            continue
          }
          ended += 1
          expect(error).toBeInstanceOf(RowcastError)
          expect(['RESYNC_REQUIRED', 'SUBSCRIBER_TOO_SLOW']).toContain((error as RowcastError).code)
          // Only where something has been trimmed, and nobody else keeps it.
          expect(options.logParts).not.toBeNull()
          expect(options.hasOlder).toBe(false)
        }
        for (const client of world.clients) await client.subscription.return()
        expect(world.bus.heldBytes).toBe(0)
      }),
      { numRuns: 2_000 },
    )
    expect(complete).toBeGreaterThan(ended)
    expect(ended).toBeGreaterThan(0)
  })
})
