/** Where a viewer whose right depends on a row has to have what the right says, and where on what was known before. */
import { expect, it } from 'vitest'
import { lastKnownLsn } from './rights-viewer.ts'

const write = (commitLsn: number) =>
  ({ action: 'UPDATE', commitLsn: BigInt(commitLsn), old: null, new: null }) as const
const knownAt = (
  judged: readonly number[],
  limits: readonly number[],
  [given, at]: readonly [number, number],
) =>
  lastKnownLsn(
    { judged: [judged.map(write)], limits: limits.map(write) },
    { givenLsn: BigInt(given), lsn: BigInt(at) },
  )

it.each<readonly [string, number[], number[], [number, number], bigint | null]>([
  ['what was judged last counts between two writes of the right', [10], [5, 20, 30], [5, 29], 10n],
  [
    'a write that was the last one for a while counts once something was given',
    [10],
    [20, 30, 40],
    [20, 39],
    20n,
  ],
  ['behind the last write the right is known', [10], [20, 30], [10, 35], null],
  ['at what was given it is known', [10], [20, 30], [20, 20], 20n],
  ['what is judged next finds it known', [10, 25], [20, 30], [10, 24], null],
  ['what is judged with the next write of it does too', [10, 30], [20, 30], [10, 29], null],
])('%s', (_, judged, limits, at, known) => {
  expect(knownAt(judged, limits, at)).toBe(known)
})
