/**
 * Beside the spine, sets. From when on pages are as good as those that a subscription would read itself: as long as nothing of its model has
 * been written, the rows that others have read are what it would find. Nothing older is given: what has gone out of sight since is not shown.
 */
import type { History } from '../bus/history.ts'
import { type Cursor, comparePositions, isSameOrigin, parseCursor } from '../changes/cursor.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { StreamWatcher } from './stream-watchers.ts'

/** Where a subscription begins. */
export interface RowsBeginning {
  readonly cursor: string
  /** All that the database showed it had committed before this position; null where that is not known. */
  readonly endLsn: Lsn | null
}

interface SharedBeginning {
  /** Held weakly: behind a gap nobody needs its log, and nobody may come for the model. */
  readonly history: WeakRef<History>
  readonly begun: Cursor
  /** `PageReads.begun` when the cursor was there: pages that began to be read later have all that stands before it. */
  readonly since: number
  readonly untilMs: number
}

/** What is altered without a change that the stream brings is seen after so long by whoever comes. */
const SHARED_MS = 10_000
/** How often it is looked, and how long at most, whether the stream has come to what a database shows. */
const LOOK_INTERVAL_MS = 10
const LOOKS_MAX = 5

export interface SharedBeginningsOptions {
  readonly history: () => History | null
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
}

/** Those of one process, by model. It watches the stream: where changes may be missing, what was read before is shared with nobody. */
export class SharedBeginnings implements StreamWatcher {
  readonly #options: SharedBeginningsOptions
  readonly #byModel = new Map<string, SharedBeginning>()

  constructor(options: SharedBeginningsOptions) {
    this.#options = options
  }

  /** Where a change leads is said by the log, whoever comes. */
  onPart(): void {}

  onLost(model: string | null): void {
    if (model === null) this.#byModel.clear()
    else this.#byModel.delete(model)
  }

  /** `since` of whoever begins so: that of others, or its own, which is that of others from now on. */
  async sinceOf(model: string, own: RowsBeginning, since: number): Promise<number> {
    const begun = parseCursor(own.cursor)
    if (this.#find(model, begun) !== null && (await this.#hasCome(own.endLsn))) {
      const shared = this.#find(model, begun)
      if (shared !== null) return shared.since
    }
    const history = this.#options.history()
    const untilMs = this.#options.now() + SHARED_MS
    if (history !== null) this.#byModel.set(model, { history: new WeakRef(history), begun, since, untilMs })
    return since
  }

  /** That of others, if it is good as far as the log has come. */
  #find(model: string, own: Cursor): SharedBeginning | null {
    const shared = this.#byModel.get(model)
    return shared !== undefined && this.#isGood(shared, model, own) ? shared : null
  }

  /** Whether the log has all that the database has shown: of what is not there yet nothing is known. */
  async #hasCome(endLsn: Lsn | null): Promise<boolean> {
    if (endLsn === null) return false
    for (let looks = 0; looks <= LOOKS_MAX; looks += 1) {
      const history = this.#options.history()
      if (history === null) return false
      const { openLsn, newest } = history.log
      if (openLsn === null && newest.commitLsn >= endLsn - 1n) return true
      await this.#options.wait(LOOK_INTERVAL_MS)
    }
    return false
  }

  /** Whether nothing of the model has come since, nor may have. */
  #isGood(shared: SharedBeginning, model: string, own: Cursor): boolean {
    const { begun, untilMs } = shared
    const history = shared.history.deref()
    if (history === undefined || history !== this.#options.history()) return false
    if (untilMs <= this.#options.now()) return false
    return (
      isSameOrigin(begun.origin, own.origin) && comparePositions(history.lastOf(model), begun.position) <= 0
    )
  }
}
