/** Who keeps up gets what comes at once, however much others leave waiting, and however many catch up with much. */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { ChangeAction, TransactionPart } from '../../src/changes/change.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
/** What one change of these takes in a queue. */
const HELD_BYTES = 288

function partOf(commit: number, action: ChangeAction = 'INSERT', rowBytes = 0): TransactionPart {
  const transaction = plainTransaction(commit)
  const change = plainChange({ transaction, index: 0, action, key: { id: commit } })
  const changes = Object.assign([change], { bytesAt: () => rowBytes })
  return { transaction, changes, isFinal: true, byteLength: rowBytes }
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

it('several at once, which it takes at the end of the turn, while others leave little room', () => {
  const { bus, published, publish } = openBus(1_000)
  // Each takes nothing, and holds as much as one may.
  for (let n = 0; n < 890; n += 1) {
    if (n % 250 === 0) bus.subscribe({ model: 'User' })
    publish()
  }
  const before = published.length
  const { pull } = bus.subscribe({ model: 'User' })
  const honest: string[] = []
  for (let turn = 0; turn < 5; turn += 1) {
    for (let n = 0; n < 20; n += 1) publish()
    expect(bus.heldBytes).toBeGreaterThan(875 * HELD_BYTES)
    // No turn of the event loop has passed in which anything could be read for it.
    for (let next = pull?.take(); next !== undefined; next = pull?.take()) honest.push(next.change.cursor)
    expect(honest).toEqual(published.slice(before))
  }
})

it('as fast as changes come, though each turn has time for a little reading only, and others read all that is retained', () => {
  const { bus, clock, published, publish } = openBus(100_000)
  for (let n = 0; n < 2_000; n += 1) publish()
  const far = Array.from({ length: 40 }, (_, n) =>
    consume(bus.subscribe({ model: 'User', after: published[n] })),
  )
  const before = published.length
  const honest = consume(bus.subscribe({ model: 'User', after: published.at(-1) }))
  clock.lookMs = 0.5
  for (let turn = 0; turn < 60; turn += 1) {
    for (let n = 0; n < 12; n += 1) publish()
    clock.turn()
    expect(published.length - before - honest.length).toBeLessThan(100)
  }
  expect(far.every((got) => got.length > 0)).toBe(true)
})

it('what it was given first in the turn, when others that came later use up all there is', () => {
  const clock = new Clock()
  const heldBytesMax = 16 * 1024 * 1024
  const bus = createMemoryBus({ timers: clock.timers, heldBytesMax })
  bus.open(START)
  const { pull } = bus.subscribe({ model: 'User', actions: ['DELETE'] })
  bus.publish(partOf(10, 'DELETE'))
  let heldMost = 0
  for (let n = 2; n < 200; n += 1) {
    clock.nowMs += 1
    if (n % 10 === 0) bus.subscribe({ model: 'User', actions: ['INSERT'] })
    bus.publish(partOf(n * 10, 'INSERT', 100_000))
    heldMost = Math.max(heldMost, bus.heldBytes)
  }
  expect(heldMost).toBeGreaterThan(0.97 * heldBytesMax)
  // Still in its queue: nothing has been read meanwhile.
  expect(pull?.take()?.change.cursor).toBe(cursorOf(partOf(10, 'DELETE')))
})
