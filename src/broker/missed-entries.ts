/**
 * Beside the bus, broker. Entries that the stream has dropped before a reader of one model came to them: whether any of them
 * had changes of it. Where the model has changed since, the next entry of it says so: where it had changed before.
 */
import { olderThanRetained } from '../bus/resync-required.ts'
import type { ChangePosition } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import type { RowcastError } from '../errors.ts'
import type { Entry } from './entry-codec.ts'
import type { Following } from './last-positions.ts'

/** One per reader. */
export class MissedEntries {
  readonly #model: string
  readonly #ask: (position: ChangePosition) => Promise<Following>
  /** Where the model changed last, as was asked when it opened; null: it is not open. */
  #last: ChangePosition | null = null

  /** `ask`: what the epoch has of the model after a position; asked once the entries that are there have been read. */
  constructor(model: string, ask: (position: ChangePosition) => Promise<Following>) {
    this.#model = model
    this.#ask = ask
  }

  /** Whether it is still to come out: nothing of what is read meanwhile is of the model. */
  get isOpen(): boolean {
    return this.#last !== null
  }

  /** Some are missing after the position. @throws RESYNC_REQUIRED where nobody knows of which models */
  async note(position: ChangePosition): Promise<void> {
    if (this.isOpen) return
    const following = await this.#ask(position)
    if (following === 'unknown') throw tooOld()
    this.#last = following === 'nothing' ? null : following.last
  }

  /** The entry is the next one. @throws RESYNC_REQUIRED where the reader, who has all up to the position, has missed something */
  meet({ id, relations, lasts }: Entry, position: ChangePosition): void {
    if (this.#last === null) return
    if (relations.length > 0 && lasts === undefined) throw tooOld()
    const before = lasts?.get(this.#model)
    if (before !== undefined && comparePositions(before, position) > 0) throw tooOld()
    if (before !== undefined) this.#last = null
    // What it had had when it was asked was dropped: nothing of it is to be met up to there.
    else if (id.lsn > this.#last.commitLsn) throw tooOld()
  }

  /** There are no more entries. @throws RESYNC_REQUIRED: what would have said so has been dropped as well */
  end(): void {
    if (this.isOpen) throw tooOld()
  }
}

/** The end of a reader to whom changes of its model may be missing. */
export function tooOld(): RowcastError {
  return olderThanRetained()
}
