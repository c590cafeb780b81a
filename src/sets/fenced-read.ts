/** Beside the spine, sets. What was read of a kept set, from when it was read until the stream has passed all that it sees, and whether it has to be read again. */
import type { TransactionInfo } from '../changes/change.ts'
import { earlierLsn } from '../wire/lsn.ts'
import type { Fence } from './fence.ts'
import { type CountedRead, ReadBoundary } from './read-boundary.ts'

/** That of one. */
export class FencedRead<State> {
  /** What was read, as long as the stream is behind it. */
  #fence: Fence | null = null
  /** Something came that only the database can judge, and nothing is being read. */
  #mustRead = true
  readonly #fenced: ReadBoundary<State>

  constructor(stateAt: (cursor: string) => State) {
    this.#fenced = new ReadBoundary(stateAt)
  }

  get fence(): Fence | null {
    return this.#fence
  }

  get mustRead(): boolean {
    return this.#mustRead
  }

  /** Something came that only the database can judge. */
  get isBehind(): boolean {
    return this.#mustRead || this.#fenced.isBehind
  }

  /** It has been read. */
  begin(fence: Fence): void {
    this.#fence = fence
    this.#mustRead = false
  }

  /** Whether a transaction is in what was read. @param isRelevant whether it may concern what is kept */
  sees(transaction: TransactionInfo, isRelevant: boolean): boolean {
    const fence = this.#fence
    if (fence === null) return false
    const { commitLsn, origin } = transaction
    const isRead = fence.sees(transaction)
    if (!isRead) this.#fenced.begin(earlierLsn(commitLsn, fence.endLsn), origin)
    else if (isRelevant) this.#fenced.noteSeen(commitLsn)
    return isRead
  }

  /** Where it is not known whether a transaction was in what was read, that is no use: what is read now has it. */
  dropIfUnsure(transaction: TransactionInfo): void {
    if (this.#fence?.isUnsure?.(transaction) !== true) return
    this.#fenced.noteUnsure()
    this.#fence = null
    this.#mustRead = true
  }

  /** Only the database knows what a change has done. What was read before may count all the same. */
  outdate(): void {
    if (this.#fence === null) this.#mustRead = true
    else this.#fenced.lack()
  }

  /** The stream has passed it. */
  settle(): CountedRead<State> {
    this.#fence = null
    const counted = this.#fenced.settle()
    this.#mustRead = !counted.isRight || counted.before !== null
    return counted
  }

  /** What was read is no use. */
  drop(): void {
    this.#fence = null
    this.#fenced.forget()
    this.#mustRead = true
  }
}
