/**
 * Beside the spine, sets. Of what was read: a transaction that its snapshot does not see may stand before its end, as its commit was written and
 * not to be seen yet. Where only the database can judge it, what was read counts as it was before that transaction, and is read again.
 */

import { cannotGoOn } from '../bus/resync-required.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { StreamOrigin } from '../changes/stream-position.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'

/** Reads in a row of which a standby cannot say what they have. */
const UNSURE_READS_MAX = 8

/** What was shown up to a commit. */
interface StateBefore<State> {
  readonly commitLsn: Lsn
  readonly state: State
}

/** Of one read. */
export class UnseenChanges<State> {
  readonly #stateAt: (cursor: string) => State
  #begun: StateBefore<State> | null = null
  #outdated: StateBefore<State> | null = null
  #unsureReads = 0

  constructor(stateAt: (cursor: string) => State) {
    this.#stateAt = stateAt
  }

  /** Whether only the database knows what there is now. */
  get isOutdated(): boolean {
    return this.#outdated !== null
  }

  /** A change that comes, before anything is done with it. */
  begin(commitLsn: Lsn, origin: StreamOrigin): void {
    // Models may be taken one after the other: what counts is the first transaction of all.
    if (this.#begun?.commitLsn === commitLsn) return
    if (this.#outdated !== null && this.#outdated.commitLsn <= commitLsn) return
    const cursor = formatCursor(origin, toLsn(commitLsn - 1n), INDEX_AFTER_ALL)
    this.#begun = { commitLsn, state: this.#stateAt(cursor) }
  }

  /** The database has to judge the one that has begun. */
  outdate(): void {
    const { commitLsn } = this.#outdated ?? {}
    if (this.#begun === null) return
    if (commitLsn === undefined || this.#begun.commitLsn < commitLsn) this.#outdated = this.#begun
  }

  /** The read is no use: it is not known what it has. @throws RESYNC_REQUIRED where that happens again and again */
  noteUnsure(): void {
    this.#unsureReads += 1
    if (this.#unsureReads >= UNSURE_READS_MAX) throw cannotGoOn('the standby cannot say what it has shown')
    this.forget()
  }

  /** The stream is behind all that was read. @returns what counts of that; null where all of it does */
  settle(): State | null {
    const state = this.#outdated?.state ?? null
    this.#unsureReads = 0
    this.forget()
    return state
  }

  /** What was read is no use. */
  forget(): void {
    this.#begun = null
    this.#outdated = null
  }
}
