/** The first part of the log that a snapshot does not see: the same as looking at each of them, and without looking at most. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TransactionIds } from '../../src/bus/transaction-ids.ts'
import { type IsVisible, parseSnapshot } from '../../src/source/db/visibility.ts'

const XID_SPACE = 2 ** 32

/** Ids as commits bring them: each as new as the begun transactions allow, in any order among those that run together. */
const world = fc.record({
  /** Where the counter stands: near its end it wraps around. */
  begin: fc.constantFrom(3, 1_000, XID_SPACE / 2 - 20, XID_SPACE - 20, XID_SPACE - 2, XID_SPACE * 3 + 7),
  steps: fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('commit'),
          at: fc.nat(5),
          parts: fc.integer({ min: 1, max: 4 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('trim'), at: fc.nat(12), parts: fc.constant(0) }),
      },
      // Some of those that run now are not seen yet, though their commit has come: those of the last `at`.
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('look'), at: fc.nat(20), parts: fc.nat(6) }) },
    ),
    { maxLength: 120 },
  ),
  chunk: fc.constantFrom(1, 2, 3, 7, 512),
})

it('is what a walk over all of them finds, whatever runs, is trimmed or wraps around', () => {
  fc.assert(
    fc.property(world, ({ begin, steps, chunk }) => {
      const ids = new TransactionIds(chunk)
      /** All parts, by full id; `null` for those that are trimmed. */
      const parts: bigint[] = []
      const running = [0, 1, 2, 3, 4, 5].map((each) => BigInt(begin + each))
      let [next, trimmed, seenUpTo] = [BigInt(begin + 6), 0, 0]
      const unseen = new Set<bigint>()
      for (const { kind, at, parts: count } of steps) {
        if (kind === 'commit') {
          const xid = running[at] as bigint
          running[at] = next
          next += 1n
          unseen.add(xid)
          for (let part = 0; part < count; part += 1) {
            parts.push(xid)
            ids.push(Number(BigInt.asUintN(32, xid)))
          }
        } else if (kind === 'trim') {
          trimmed = Math.min(parts.length, trimmed + at)
          ids.trimTo(trimmed)
        } else {
          // What is seen once stays seen; a commit of before may be seen later than one behind it.
          const committed = [...unseen]
          for (const [index, xid] of committed.entries()) if ((index * 7 + at) % 3 !== 0) unseen.delete(xid)
          const notSeen = [...running, ...unseen].sort((a, b) => (a < b ? -1 : 1))
          const isVisible = parseSnapshot(`${notSeen[0]}:${next}:${notSeen.join(',')}`)
          const from = Math.max(seenUpTo, trimmed)
          const naive = parts.findIndex((xid, index) => index >= from && unseen.has(xid))
          const found = ids.firstUnseen(from, isVisible)
          expect(found).toBe(naive < 0 ? parts.length : naive)
          seenUpTo = found
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

it('looks at a few hundred of a hundred thousand', () => {
  const ids = new TransactionIds()
  for (let xid = 1; xid <= 100_000; xid += 1) ids.push(xid)
  let [looks, ranges] = [0, 0]
  const counted = (text: string): IsVisible => {
    const isVisible = parseSnapshot(text)
    const count = (xid: number) => {
      looks += 1
      return isVisible(xid)
    }
    return Object.assign(count, {
      seesAllBefore: isVisible.seesAllBefore,
      seesRange(oldest: number, newest: number) {
        ranges += 1
        return isVisible.seesRange?.(oldest, newest) ?? false
      },
    })
  }
  // One has run since long ago, as a report does: what came since is seen all the same.
  expect(ids.firstUnseen(0, counted('50:100001:50'))).toBe(49)
  expect(ids.firstUnseen(50, counted('50:100001:50,99990'))).toBe(99_989)
  expect(looks).toBeLessThan(3 * 512)
  expect(ranges).toBeLessThan(400)
})
