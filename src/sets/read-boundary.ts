/**
 * Beside the spine, sets. At which boundary what was read is what `findMany` gives there. A snapshot is no prefix of the stream: a commit may stand
 * before its end that it lacks, written and not to be seen yet, and what it sees may stand behind that one. The rule: what it lacks is
 * applied, as long as that can be done here. From the first transaction on that only the database can judge, nothing is: what was read
 * counts as it was before that one. If it has something from behind that one, there is no boundary at which it is right: none of it is shown.
 */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { StreamOrigin } from '../changes/change-position.ts'
import { endCursorBefore } from '../changes/cursor.ts'
import type { Lsn } from '../wire/lsn.ts'

/** Reads in a row of which a standby cannot say what they have. */
const UNSURE_READS_MAX = 8

/** What there was before a commit. */
interface StateBefore<State> {
  readonly commitLsn: Lsn
  readonly state: State
}

/** For what a read counts, once the stream is behind all that its snapshot sees. */
export interface CountedRead<State> {
  /** Whether it does at all. */
  readonly isRight: boolean
  /** Where it was right last, and is read again; null where it lacks nothing. */
  readonly before: State | null
}

/** That of one read after the other. */
export class ReadBoundary<State> {
  readonly #stateAt: (cursor: string) => State
  #begun: StateBefore<State> | null = null
  #lacked: StateBefore<State> | null = null
  /** The last transaction that may concern it, and is in what was read. */
  #seenUpTo: Lsn | null = null
  #unsureReads = 0

  constructor(stateAt: (cursor: string) => State) {
    this.#stateAt = stateAt
  }

  /** Whether only the database knows what there is now. */
  get isBehind(): boolean {
    return this.#lacked !== null
  }

  /** A change that may concern it, and is in what was read. */
  noteSeen(commitLsn: Lsn): void {
    if (this.#seenUpTo === null || this.#seenUpTo < commitLsn) this.#seenUpTo = commitLsn
  }

  /** A change that is not in what was read, before anything is done with it. */
  begin(commitLsn: Lsn, origin: StreamOrigin): void {
    // Models may be taken one after the other: what counts is the first transaction of all.
    if (this.#begun?.commitLsn === commitLsn) return
    if (this.#lacked !== null && this.#lacked.commitLsn <= commitLsn) return
    this.#begun = { commitLsn, state: this.#stateAt(endCursorBefore(origin, commitLsn)) }
  }

  /** Only the database can judge the one that has begun. */
  lack(): void {
    if (this.#begun === null) return
    if (this.#lacked === null || this.#begun.commitLsn < this.#lacked.commitLsn) this.#lacked = this.#begun
  }

  /** It is not known what was read. @throws RESYNC_REQUIRED where that happens again and again */
  noteUnsure(): void {
    this.#unsureReads += 1
    if (this.#unsureReads >= UNSURE_READS_MAX) throw cannotGoOn('the standby cannot say what it has shown')
    this.forget()
  }

  /** The stream is behind all that was read. */
  settle(): CountedRead<State> {
    const [lacked, seenUpTo] = [this.#lacked, this.#seenUpTo]
    this.#unsureReads = 0
    this.forget()
    if (lacked === null) return { isRight: true, before: null }
    const isRight = seenUpTo === null || seenUpTo < lacked.commitLsn
    return { isRight, before: isRight ? lacked.state : null }
  }

  /** What was read is no use. */
  forget(): void {
    this.#begun = null
    this.#lacked = null
    this.#seenUpTo = null
  }
}
