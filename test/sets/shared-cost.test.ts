/** What many have costs one of them who has it: nobody else, and never nobody. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Account } from '../../src/bus/holdings.ts'
import { KeptSets } from '../../src/sets/kept-sets.ts'
import { KeptSubscription } from '../../src/sets/kept-subscription.ts'
import { type CostBearer, SharedCost } from '../../src/sets/shared-cost.ts'

const COST = 40

/** Who comes and who goes. */
const moves = fc.array(fc.nat(5), { maxLength: 60 })
const rooms = fc.array(fc.constantFrom(0, COST, 3 * COST), { minLength: 6, maxLength: 6 })

describe('what is shared', () => {
  it('is on the account of exactly one of those who have it', () => {
    let beyond = 0
    fc.assert(
      fc.property(rooms, moves, (filterCosts, visitors) => {
        const accounts = filterCosts.map((filterCostMax) => new Account({ filterCostMax }))
        const bearers = accounts.map((account): CostBearer => ({ account, cost: COST }))
        const shared = new SharedCost()
        const there = new Set<number>()
        for (const visitor of visitors) {
          const before = shared.account
          const bearer = bearers[visitor] as CostBearer
          if (there.delete(visitor)) shared.leave(bearer)
          else {
            const hasRoom = (filterCosts[visitor] ?? 0) >= COST
            const enter = () => shared.enter(bearer)
            if (there.size === 0 && !hasRoom) expect(enter).toThrow('FILTER_TOO_COSTLY')
            else {
              enter()
              there.add(visitor)
            }
          }
          const payers = accounts.flatMap((account, index) => (account.filterCost > 0 ? [index] : []))
          expect(payers).toHaveLength(there.size === 0 ? 0 : 1)
          for (const payer of payers) {
            expect(there.has(payer)).toBe(true)
            expect(accounts[payer]?.filterCost).toBe(COST)
            expect(shared.account).toBe(accounts[payer])
            // Whoever has no room comes to pay only where nobody has.
            if (filterCosts[payer] === 0 && shared.account !== before) {
              beyond += 1
              expect([...there].every((each) => filterCosts[each] === 0)).toBe(true)
            }
          }
        }
        shared.end()
        expect(accounts.every(({ filterCost }) => filterCost === 0)).toBe(true)
      }),
    )
    expect(beyond).toBeGreaterThan(0)
  })
})

describe('a live list', () => {
  const sets = new KeptSets(1_000_000)
  const open = (account: Account, key = 'list') => {
    const opened = new Set<object>()
    return sets.join<never, never, string>(key, { account, filterCost: 2, everyMs: 0 }, ({ onEnded }) => {
      const subscribe = () => {
        const subscription: KeptSubscription<string> = new KeptSubscription<string>({
          ...{ snapshot: () => null, untaken: sets.untaken },
          leave: () => opened.delete(subscription) && opened.size === 0 && onEnded(),
        })
        opened.add(subscription)
        return subscription
      }
      return { isEnded: false, subscribe } as never
    })
  }

  it('costs whoever has it, once who opened it has left', async () => {
    const [first, second] = [new Account({}), new Account({})]
    const [opened, joined] = [open(first), open(second)]
    expect([first.filterCost, second.filterCost]).toEqual([COST + 2, 0])
    await opened.return()
    await opened.return()
    expect([first.filterCost, second.filterCost]).toEqual([0, COST + 2])
    const [again] = [open(first)]
    await joined.return()
    expect([first.filterCost, second.filterCost]).toEqual([COST + 2, 0])
    await again.return()
    expect([first.filterCost, second.filterCost]).toEqual([0, 0])
  })

  it('that is refused as it is opened costs nobody', () => {
    const account = new Account({})
    const refused = () =>
      sets.join('refused', { account, filterCost: 0, everyMs: 0 }, () => {
        throw new Error('refused')
      })
    expect(refused).toThrow('refused')
    expect(account.filterCost).toBe(0)
  })
})
