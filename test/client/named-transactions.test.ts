/** What a list takes from the transactions that its events name: held against all that had a part in it, as the server remembers them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AnyChange } from '../../src/changes/change.ts'
import { NamedTransactions } from '../../src/client/named-transactions.ts'
import { ReachedChanges } from '../../src/sets/reached-changes.ts'

const LONG = process.env['ROWCAST_LONG'] !== undefined
/** How many transactions an event is of, and after how many of them the server has the list to read again, where it has. */
const events = fc.array(
  fc.record({ count: fc.oneof(fc.nat(5), fc.integer({ min: 50, max: 150 })), leftAt: fc.option(fc.nat(60)) }),
  { minLength: 1, maxLength: 8 },
)

function note(reached: ReachedChanges, xid: number): void {
  const transaction = { xid, commitLsn: BigInt(xid), committedAt: new Date(0), origin: 'o', metadata: null }
  reached.note({ transaction, index: 0 } as unknown as AnyChange)
}

/** Goes through the events as a client does that selects these. */
function follow(
  given: readonly { readonly count: number; readonly leftAt: number | null }[],
  isNamed: (xid: number) => boolean,
) {
  const [reached, named] = [new ReachedChanges(), new NamedTransactions()]
  let xid = 0
  return given.map(({ count, leftAt }) => {
    const come: number[] = []
    let hasLeft = false
    for (let index = 0; index < count; index += 1) {
      if (index === leftAt) reached.leaveOff()
      hasLeft ||= index === leftAt
      xid += 1
      come.push(xid)
      note(reached, xid)
    }
    const latest = reached.latest.map((each) => each.xid)
    const taken = named.accept(latest.map((each) => (isNamed(each) ? { xid: each } : { xid: null })))
    const isLacking = come.some((each) => !latest.includes(each))
    return { come, latest, hasLeft, isLacking, taken }
  })
}

it('it is known that some are lacking, and of none that is named twice that it is new', () => {
  const property = fc.property(events, (given) => {
    let before = 0
    for (const { come, latest, hasLeft, isLacking, taken } of follow(given, () => true)) {
      expect(taken.come.map(({ xid }) => xid)).toEqual(latest.filter((xid) => come.includes(xid)))
      // Where the server has begun again and had named none before, nothing shows it.
      if (!hasLeft || before > 0) expect(taken.mayLackSome || !isLacking).toBe(true)
      // Nor is it taken for lacking what came one by one.
      if (!hasLeft && before > 0 && come.length < 64) expect(taken.mayLackSome).toBe(false)
      before = latest.length
    }
  })
  fc.assert(property, { numRuns: LONG ? 10_000 : 200 })
})

it('it is known where only some of them have a name', () => {
  const property = fc.property(events, fc.integer({ min: 2, max: 200 }), (given, every) => {
    const steady = given.map(({ count }) => ({ count, leftAt: null }))
    for (const { isLacking, taken } of follow(steady, (xid) => xid % every === 0))
      expect(taken.mayLackSome || !isLacking).toBe(true)
  })
  fc.assert(property, { numRuns: LONG ? 10_000 : 200 })
})
