/**
 * Filters that take long are judged a slice at a time, in turns of their own: who asks for little waits for none of it,
 * and who asks for much gets every change all the same, once and in order.
 */
import { describe, expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import type { ChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { FALSE, TRUE } from '../../src/bus/filter/outcome.ts'
import { Account } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { isRowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const User = buildModel([buildField('n', 'Int')], { name: 'User' })
/** What one of the filters takes. */
const JUDGING_MS = 3
const TRANSACTIONS = 30

/** A bus whose clock goes on while a filter is judged, and whose turns are run by hand. */
function openBus(serverLsn = toLsn(1n)) {
  let nowMs = 0
  let due: (() => void)[] = []
  let judged = 0
  const timers = { soon: (run: () => void) => void due.push(run), later: () => {}, nowMs: () => nowMs }
  const bus = createMemoryBus({ models: { User }, timers })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn })
  /** Takes long, and matches every change but each third. */
  const costly = (): ChangeFilter => {
    const filter = createChangeFilter({
      new: {
        kind: 'test',
        field: 'n',
        takesNull: false,
        preparation: null,
        cost: 200,
        test(value) {
          nowMs += JUDGING_MS
          judged += 1
          return Number(value) % 3 === 0 ? FALSE : TRUE
        },
      },
    })
    if (filter === null) throw new Error('There is no filter.')
    return filter
  }
  return {
    bus,
    costly,
    /** Runs what is due; how many filters were judged meanwhile. */
    async turn(): Promise<number> {
      const before = judged
      const running = due
      due = []
      for (const run of running) run()
      await new Promise((resolve) => setImmediate(resolve))
      return judged - before
    },
    /** Something else takes its time. */
    spend(ms: number): void {
      nowMs += ms
    },
    get judged() {
      return judged
    },
    get isIdle() {
      return due.length === 0
    },
  }
}

function collect(subscription: BusSubscription): Delivery[] {
  const got: Delivery[] = []
  void (async () => {
    for await (const delivery of { [Symbol.asyncIterator]: () => subscription }) got.push(delivery)
  })()
  return got
}

const numberOf = ({ change }: Delivery) => Number(change.new?.['n'])

function publish(bus: ReturnType<typeof createMemoryBus>, from: number, count: number): void {
  for (let at = from; at < from + count; at += 1) {
    const transaction = plainTransaction(100 + at)
    const changes = [0, 1].map((index) =>
      plainChange({ model: 'User', action: 'INSERT', transaction, index, new: { n: at * 2 + index } }),
    )
    bus.publish({ transaction, changes, isFinal: true, byteLength: 100 })
  }
}

describe('costly filters', () => {
  it('are judged for a few milliseconds a turn, and miss nothing', async () => {
    const open = openBus()
    const { bus, costly } = open
    const hostile = Array.from({ length: 20 }, () =>
      collect(bus.subscribe({ model: 'User', filter: costly() })),
    )
    const honest = collect(bus.subscribe({ model: 'User' }))
    await open.turn()
    publish(bus, 0, TRANSACTIONS)
    // Thirty transactions in one turn: 1,200 judgements would take 3.6 s.
    expect(open.judged).toBeLessThanOrEqual(3)
    await open.turn()
    expect(honest).toHaveLength(TRANSACTIONS * 2)
    let most = 0
    for (let turns = 0; !open.isIdle && turns < 5_000; turns += 1) most = Math.max(most, await open.turn())
    expect(most).toBeLessThanOrEqual(3)
    const wanted = Array.from({ length: TRANSACTIONS * 2 }, (_, n) => n).filter((n) => n % 3 !== 0)
    for (const got of hostile) {
      expect(got.map(numberOf)).toEqual(wanted)
      // The last match of each transaction, and no other, is marked.
      const isLast = (n: number) => n % 2 === 1 || (n + 1) % 3 === 0
      expect(got.map(({ isLastOfTransaction }) => isLastOfTransaction)).toEqual(wanted.map(isLast))
    }
    // Up to date, they are live again.
    publish(bus, TRANSACTIONS, 1)
    for (let turns = 0; !open.isIdle && turns < 500; turns += 1) await open.turn()
    const next = [TRANSACTIONS * 2, TRANSACTIONS * 2 + 1].filter((n) => n % 3 !== 0)
    for (const got of hostile) expect(got.slice(wanted.length).map(numberOf)).toEqual(next)
  })
})

it('costly filters of one who began now are not judged on what committed before', async () => {
  const open = openBus(toLsn(110n))
  const { bus, costly } = open
  const all = Array.from({ length: 4 }, () => collect(bus.subscribe({ model: 'User', filter: costly() })))
  for (let at = 0; at < 20; at += 1) {
    publish(bus, at, 1)
    open.spend(JUDGING_MS)
  }
  for (let turns = 0; !open.isIdle && turns < 500; turns += 1) await open.turn()
  // The transactions from 110 on.
  const wanted = Array.from({ length: 20 }, (_, at) => 20 + at).filter((n) => n % 3 !== 0)
  for (const got of all) expect(got.map(numberOf)).toEqual(wanted)
})

describe('what the filters of a client cost together', () => {
  it('is bounded for it and for all it belongs to, and given back', async () => {
    const { bus, costly } = openBus()
    const address = new Account({ filterCostMax: 500 })
    const [one, other] = [
      new Account({ filterCostMax: 400 }, [address]),
      new Account({ filterCostMax: 400 }, [address]),
    ]
    const subscribe = (account: Account) => bus.subscribe({ model: 'User', filter: costly(), account })
    const isRefused = (run: () => unknown) => {
      try {
        run()
        return false
      } catch (error) {
        return isRowcastError(error, 'FILTER_TOO_COSTLY')
      }
    }
    const first = subscribe(one)
    subscribe(one)
    expect(isRefused(() => subscribe(one))).toBe(true)
    expect(isRefused(() => subscribe(other))).toBe(true)
    expect([one.filterCost, other.filterCost, address.filterCost]).toEqual([400, 0, 400])
    await first.return()
    expect(isRefused(() => subscribe(other))).toBe(false)
    bus.close()
    expect([one.filterCost, other.filterCost, address.filterCost]).toEqual([0, 0, 0])
  })

  it('is not kept where the subscription does not begin', () => {
    const { bus, costly } = openBus()
    const account = new Account({ replaysMax: 0 })
    expect(() => bus.subscribe({ model: 'User', filter: costly(), after: 'earliest', account })).toThrow()
    expect(account.filterCost).toBe(0)
  })
})
