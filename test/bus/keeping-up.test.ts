/** Who keeps up gets what comes at once, however much others leave waiting, and however many catch up with much. */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_EPOCH, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
/** What one change of these takes in a queue. */
const HELD_BYTES = 288

function partOf(commit: number): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = [plainChange({ transaction, index: 0, action: 'INSERT', key: { id: commit } })]
  return { transaction, changes, isFinal: true, byteLength: 0 }
}

/** Time stands still, and nothing happens in it, until it is said to. */
class Clock {
  nowMs = 0
  /** Each look at it takes so long. */
  lookMs = 0
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = []

  readonly timers = {
    soon: (run: () => void) => void this.#due.push({ atMs: this.nowMs, run }),
    later: (run: () => void) => void this.#due.push({ atMs: this.nowMs + 10, run }),
    nowMs: () => {
      this.nowMs += this.lookMs
      return this.nowMs
    },
  }

  /** One turn of the event loop. */
  turn(ms = 0): void {
    this.nowMs += ms
    const { nowMs } = this
    const rest = this.#due.splice(0)
    for (const each of rest) {
      if (each.atMs <= nowMs) each.run()
      else this.#due.push(each)
    }
  }
}

/** Takes whatever comes. */
function consume(subscription: BusSubscription): string[] {
  const { pull } = subscription
  const got: string[] = []
  const drain = (): void => {
    for (let next: Delivery | undefined = pull?.take(); next !== undefined; next = pull?.take())
      got.push(next.change.cursor)
  }
  if (pull !== null && pull !== undefined) pull.reader = { onReadable: drain }
  drain()
  return got
}

const cursorOf = ({ changes }: TransactionPart): string => changes.at(0)?.cursor ?? ''

function openBus(heldChangesMax: number) {
  const clock = new Clock()
  const bus = createMemoryBus({ timers: clock.timers, heldBytesMax: heldChangesMax * HELD_BYTES })
  bus.open(START)
  const published: string[] = []
  const publish = (): void => {
    const part = partOf((published.length + 1) * 10)
    bus.publish(part)
    published.push(cursorOf(part))
  }
  return { bus, clock, published, publish }
}

it('beside those who have filled all there is', () => {
  const { bus, published, publish } = openBus(16)
  // Each takes the first that comes, and no more.
  for (let n = 0; n < 20; n += 1) {
    bus.subscribe({ model: 'User' })
    publish()
  }
  const honest = consume(bus.subscribe({ model: 'User' }))
  const before = published.length
  for (let n = 0; n < 50; n += 1) {
    publish()
    // At once: no time has passed in which others could be found to take nothing.
    expect(honest).toEqual(published.slice(before))
    expect(bus.heldBytes).toBeLessThanOrEqual(18 * HELD_BYTES)
  }
})

it('however far it has fallen behind while others keep waiting what they have', () => {
  const { bus, clock, published, publish } = openBus(16)
  for (let n = 0; n < 1_000; n += 1) publish()
  for (let n = 0; n < 60 && bus.heldBytes < 12.5 * HELD_BYTES; n += 1) {
    bus.subscribe({ model: 'User' })
    publish()
  }
  const honest = consume(bus.subscribe({ model: 'User', after: published[0] }))
  for (let n = 0; n < 100 && honest.length < published.length - 1; n += 1) clock.turn()
  expect(honest).toEqual(published.slice(1))
  // They have let go of nothing: it was given its changes beside them.
  expect(bus.heldBytes).toBeGreaterThanOrEqual(12 * HELD_BYTES)
})

it('also one that is neither the hindmost nor about to catch up', () => {
  const { bus, clock, published, publish } = openBus(10_000)
  for (let n = 0; n < 5_000; n += 1) publish()
  const far = published.slice(0, 20).map((after) => consume(bus.subscribe({ model: 'User', after })))
  const honest = consume(bus.subscribe({ model: 'User', after: published[3_000] }))
  clock.lookMs = 0.5
  for (let n = 0; n < 9; n += 1) clock.turn()
  expect(honest.length).toBeGreaterThan(0)
  expect(far.every((got) => got.length < 2_900)).toBe(true)
})

it('beside those who read all that is retained', () => {
  const { bus, clock, published, publish } = openBus(10_000)
  for (let n = 0; n < 2_000; n += 1) publish()
  const far = published.slice(0, 40).map((after) => consume(bus.subscribe({ model: 'User', after })))
  const after = published.at(-4)
  clock.lookMs = 0.5
  clock.turn()
  const honest = consume(bus.subscribe({ model: 'User', after }))
  for (let n = 0; n < 3; n += 1) clock.turn()
  expect(honest).toEqual(published.slice(-3))
  expect(far.every((got) => got.length < 1_900)).toBe(true)
  clock.lookMs = 0
  clock.turn()
  clock.turn()
  for (const [at, got] of far.entries()) expect(got).toEqual(published.slice(at + 1))
})
