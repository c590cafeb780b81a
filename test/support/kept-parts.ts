/** What a kept set is made with, where a test says only what it is about: numbers that are shown, of a database that answers at once. */
import { formatCursor } from '../../src/changes/cursor.ts'
import type { KeptSetParts, KeptState } from '../../src/sets/kept-parts.ts'
import { ReadBudget } from '../../src/sets/read-budget.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from './plain-change.ts'

type NumberParts = KeptSetParts<number, number, KeptState<number>>

export const lsnOf = (commit: number): Lsn => toLsn(BigInt(commit))

/** The only change of a commit; it empties what is kept, so that nothing has to be known of rows. */
export const emptyingAt = (commit: number) => ({
  change: {
    ...{ action: 'TRUNCATE', index: 0, cursor: formatCursor(PLAIN_ORIGIN, lsnOf(commit), 0) },
    transaction: { origin: PLAIN_ORIGIN, commitLsn: lsnOf(commit), xid: commit },
  },
  isLastOfTransaction: true,
})

/** All of it; what the test gives stands in the place of the rest. */
export function keptParts(
  given: Partial<NumberParts> & Pick<NumberParts, 'subscribe' | 'view' | 'monotonicMs'>,
): NumberParts {
  return {
    whenVisible: async () => undefined,
    changeCursor: async () => formatCursor(PLAIN_ORIGIN, lsnOf(1), 0),
    read: async () => ({
      ...{ loaded: 0, tookMs: 0, bytes: 0 },
      fence: { sees: () => false, endLsn: lsnOf(5), text: '' },
    }),
    ...{ isAskedAgain: false, isAnonymous: false, everyMs: 0 },
    wait: async () => undefined,
    turns: { isOver: false, wait: () => null },
    weigh: () => undefined,
    budget: new ReadBudget(given.monotonicMs, 0),
    snapshotOf: (state) => state,
    patchOf: (_before, event) => ({ event, bytes: 1 }),
    untaken: new UntakenPatches(1_000_000),
    counters: { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 },
    onEnded: () => undefined,
    ...given,
  }
}
