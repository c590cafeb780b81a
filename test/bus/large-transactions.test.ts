/**
 * A transaction of many changes, for many who want all of it, is offered in several turns: each gets every change, once and in order. What each
 * change brings to few of many is offered at once: they would read all of it from the log, each for the few that are its own.
 */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyChange, TransactionPart } from '../../src/changes/change.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
const SUBSCRIBERS = 100
const CHANGES = 1_000

function partOf(commit: number, count: number, { from = 0, isFinal = true } = {}): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = Array.from({ length: count }, (_, n): AnyChange => {
    return plainChange({ transaction, index: from + n, action: 'INSERT', key: { id: n } })
  })
  return { transaction, changes, isFinal, byteLength: count }
}

/** Turns are run by hand. Time does not pass: what is looked at is how much is done. */
class Turns {
  #due: (() => void)[] = []
  readonly timers = { soon: (run: () => void) => void this.#due.push(run), later: () => {}, nowMs: () => 0 }

  get isIdle(): boolean {
    return this.#due.length === 0
  }

  run(): void {
    for (const run of this.#due.splice(0)) run()
  }
}

/** Takes what there is at the end of each turn, as what writes frames does. */
function follow(subscription: BusSubscription): { readonly got: Delivery[]; take(): void } {
  const got: Delivery[] = []
  const take = (): void => {
    for (let next = subscription.pull?.take(); next !== undefined; next = subscription.pull?.take())
      got.push(next)
  }
  take()
  return { got, take }
}

it('for more than one turn has time for', () => {
  const turns = new Turns()
  const bus = createMemoryBus({ timers: turns.timers })
  bus.open(START)
  const following = Array.from({ length: SUBSCRIBERS }, () => follow(bus.subscribe({ model: 'User' })))
  turns.run()
  let offered = 0
  const endTurn = (): number => {
    for (const { take } of following) take()
    const before = offered
    offered = following.reduce((sum, { got }) => sum + got.length, 0)
    return offered - before
  }
  const parts = [
    partOf(10, CHANGES / 2, { isFinal: false }),
    partOf(10, CHANGES / 2, { from: CHANGES / 2 }),
    partOf(20, 1),
  ]
  for (const part of parts) bus.publish(part)
  // A hundred thousand in one go would be that turn.
  expect(endTurn()).toBeLessThan(25_000)
  for (let n = 0; n < 10_000 && !turns.isIdle; n += 1) {
    turns.run()
    endTurn()
  }
  const wanted = parts.flatMap(({ changes }) =>
    Array.from({ length: changes.length }, (_, at) => changes.at(at)?.cursor),
  )
  for (const { got } of following) {
    expect(got.map(({ change }) => change.cursor)).toEqual(wanted)
    const last = got.filter(({ isLastOfTransaction }) => isLastOfTransaction)
    expect(last.map(({ change }) => change.cursor)).toEqual([wanted.at(-2), wanted.at(-1)])
  }
  // Up to date, they are live again: what comes next they have in the same turn.
  bus.publish(partOf(30, 1))
  expect(endTurn()).toBe(SUBSCRIBERS)
})

it('for many of whom each wants few of its rows', () => {
  const USER = blogCatalog.models['User'] as ModelSpec
  const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const turns = new Turns()
  const bus = createMemoryBus({ timers: turns.timers, models: blogCatalog.models })
  bus.open(START)
  const following = Array.from({ length: 2_000 }, (_, n) => {
    const filter = parseChangeFilter(USER, blogCatalog, { where: { id: idOf(n % 1_000) } })
    return follow(bus.subscribe({ model: 'User', filter }))
  })
  turns.run()
  const transaction = plainTransaction(10)
  const changes = Array.from({ length: 20_000 }, (_, index): AnyChange => {
    const row = { id: idOf(index % 1_000) }
    return plainChange({ transaction, index, action: 'INSERT', key: row, new: row })
  })
  bus.publish({ transaction, changes, isFinal: true, byteLength: changes.length })
  // No turn is run.
  for (const [n, { got, take }] of following.entries()) {
    take()
    expect(got.map(({ change }) => change.key)).toEqual(Array(20).fill({ id: idOf(n % 1_000) }))
  }
})

it('for few of many, also where a turn has had enough: then what comes next is to come in another', () => {
  const USER = blogCatalog.models['User'] as ModelSpec
  const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const turns = new Turns()
  const bus = createMemoryBus({ timers: turns.timers, models: blogCatalog.models })
  bus.open(START)
  // Of each row twenty want to know, of thirteen hundred: many, and a small share.
  const following = Array.from({ length: 1_300 }, (_, n) => {
    const filter = parseChangeFilter(USER, blogCatalog, { where: { id: idOf(n % 65) } })
    return follow(bus.subscribe({ model: 'User', filter }))
  })
  turns.run()
  const transaction = plainTransaction(10)
  const changes = Array.from({ length: 3_250 }, (_, index): AnyChange => {
    const row = { id: idOf(index % 65) }
    return plainChange({ transaction, index, action: 'INSERT', key: row, new: row })
  })
  const isFullAfter = [changes.slice(0, 1_950), changes.slice(1_950, 2_600), changes.slice(2_600)].map(
    (part) => {
      bus.publish({
        transaction,
        changes: part,
        isFinal: part.at(-1) === changes.at(-1),
        byteLength: part.length,
      })
      return bus.awaited.isTurnFull
    },
  )
  expect(isFullAfter).toEqual([false, true, true])
  // Nobody reads the log: each of them would read all of it.
  for (const { got, take } of following) {
    take()
    expect(got).toHaveLength(50)
  }
  turns.run()
  expect(bus.awaited.isTurnFull).toBe(false)
})
