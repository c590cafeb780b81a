/**
 * Stage 5, source. Barriers that no message of the stream says, as the server takes none: each counts once the stream has come to the end of its
 * gap. What it has not come to yet may lie in the gap: whoever began before that end would miss it.
 */
import type { Lsn } from '../../wire/lsn.ts'
import type { Barrier } from '../published/barrier-message.ts'

/** Of one stream. */
export class UnwrittenBarriers {
  #waiting: readonly Barrier[] = []

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  add(barrier: Barrier): void {
    this.#waiting = [...this.#waiting, barrier]
  }

  /** Another stream begins: they are due again. */
  forget(): void {
    this.#waiting = []
  }

  /** Those whose gap ends where the stream is read to, or before; `reached` null: it is read to where the server is. */
  take(reached: Lsn | null): readonly Barrier[] {
    const isDue = ({ cleanFrom }: Barrier): boolean => reached === null || reached >= cleanFrom
    const due = this.#waiting.filter(isDue)
    this.#waiting = this.#waiting.filter((each) => !isDue(each))
    return due
  }
}
