/**
 * Stage 5, source. Up to where all that committed is visible to queries, as the looks at the database show it: for barriers and marks,
 * by which those who begin to read later know what lies before them. Pure.
 */
import { earlierLsn, LSN_ZERO, type Lsn, laterLsn, toLsn } from '../../wire/lsn.ts'
import { EarlierCommits } from '../db/earlier-commits.ts'
import { type Sight, seesTransaction } from '../db/visibility.ts'

/** As many are known one by one, 3 MiB; of more it is waited until all ids that had been given are over. */
const UNSEEN_MAX = 262_144
const UNSEEN_MIN = 1_024

/** One per source. */
export class SeenCommits {
  #earlier = new EarlierCommits(LSN_ZERO)
  /** Transactions that no look has seen, in the order of their commits. */
  #xids = new Uint32Array(UNSEEN_MIN)
  #commitLsns = new BigUint64Array(UNSEEN_MIN)
  #count = 0
  #lsn: Lsn = LSN_ZERO

  /** All that committed before it is visible. */
  get lsn(): Lsn {
    return this.#lsn
  }

  /** The same once everything before `readLsn` has come: where nothing came since that is to be seen yet, it is that position. */
  upTo(readLsn: Lsn): Lsn {
    const isAllSeen = this.#count === 0 && this.#lsn > LSN_ZERO
    return isAllSeen ? laterLsn(this.#lsn, readLsn) : this.#lsn
  }

  /** A stream begins here, and not where the one before ended. */
  begin(floorLsn: Lsn): void {
    this.#earlier = new EarlierCommits(floorLsn)
    this.#count = 0
    this.#lsn = LSN_ZERO
  }

  /** The stream goes on at a server that has taken over: what the server before committed from here on is forgotten. */
  retreatTo(shared: Lsn): void {
    this.#earlier.retreatTo(shared)
    this.#lsn = earlierLsn(this.#lsn, shared)
    while (this.#count > 0 && (this.#commitLsns[this.#count - 1] as bigint) >= shared) this.#count -= 1
  }

  /** The stream brings a transaction. */
  note(xid: number, commitLsn: Lsn): void {
    if (this.#count === UNSEEN_MAX) {
      this.#earlier.forgetTo(commitLsn)
      this.#count = 0
    }
    if (this.#count === this.#xids.length) this.#resize(2 * this.#count)
    this.#xids[this.#count] = xid
    this.#commitLsns[this.#count] = commitLsn
    this.#count += 1
  }

  /** A process before this one, or this one, had seen all that committed before `lsn`. */
  hear(lsn: Lsn): void {
    this.#earlier.reaches(lsn)
  }

  /** A look, made before now; everything before `readLsn` has come. */
  look({ isVisible, xidBound }: Sight, readLsn: Lsn): void {
    this.#earlier.ask(xidBound)
    if (!this.#earlier.areSeen(isVisible)) return
    let first = 0
    const isSeen = (at: number) =>
      seesTransaction(isVisible, {
        xid: this.#xids[at] as number,
        commitLsn: toLsn(this.#commitLsns[at] as bigint),
      })
    while (first < this.#count && isSeen(first)) first += 1
    const lsn = first < this.#count ? toLsn(this.#commitLsns[first] as bigint) : readLsn
    if (lsn > this.#lsn) this.#lsn = lsn
    this.#xids.copyWithin(0, first, this.#count)
    this.#commitLsns.copyWithin(0, first, this.#count)
    this.#count -= first
    if (this.#count <= UNSEEN_MIN && this.#xids.length > UNSEEN_MIN) this.#resize(UNSEEN_MIN)
  }

  #resize(length: number): void {
    const [xids, commitLsns] = [new Uint32Array(length), new BigUint64Array(length)]
    xids.set(this.#xids.subarray(0, this.#count))
    commitLsns.set(this.#commitLsns.subarray(0, this.#count))
    this.#xids = xids
    this.#commitLsns = commitLsns
  }
}
