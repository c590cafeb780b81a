/** Sets, between stages 6 and 7. The rows that a subscription begins with that conflates, and READY behind them, until they have been taken. */
import type { AnyRow } from '../changes/change.ts'
import type { RowsReady } from './first-rows.ts'
import type { SightOfNow } from './latest-events.ts'
import type { FirstRowEvent } from './related-event.ts'

/** Those of one subscription. None is given before all have come. */
export class WaitingFirstRows {
  readonly #keyOf: (row: AnyRow) => AnyRow
  #rows: AnyRow[] = []
  #at = 0
  #cursor = ''
  #ready: RowsReady | null = null
  #bytes = 0

  constructor(keyOf: (row: AnyRow) => AnyRow) {
    this.#keyOf = keyOf
  }

  /** How many can be given, READY among them. */
  get size(): number {
    return this.#ready === null ? 0 : this.#rows.length - this.#at + 1
  }

  /** What they weigh together, until the last has been taken. */
  get bytes(): number {
    return this.#bytes
  }

  add({ row, cursor }: FirstRowEvent): void {
    this.#rows.push(row)
    this.#cursor = cursor
  }

  /** All have come. */
  close(ready: RowsReady, weigh: (rows: readonly AnyRow[]) => number): void {
    this.#ready = ready
    this.#bytes = weigh(this.#rows)
  }

  /** The next one; none where it may not be seen any more. */
  shift({ isSeen }: Pick<SightOfNow, 'isSeen'>): FirstRowEvent | RowsReady | undefined {
    const ready = this.#ready ?? undefined
    const row = ready && this.#rows[this.#at]
    if (row === undefined) {
      this.clear()
      return ready
    }
    this.#at += 1
    // What is changed later of a row that is not seen comes behind READY.
    return isSeen(row) ? { kind: 'first', row, key: this.#keyOf(row), cursor: this.#cursor } : undefined
  }

  clear(): void {
    this.#rows = []
    this.#at = 0
    this.#ready = null
    this.#bytes = 0
  }
}
