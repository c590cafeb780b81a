/**
 * Beside the spine, sets. From when on pages are as good as those that a subscription would read itself: as long as nothing of its model has
 * been written, and its table is as it was (table-stamps.ts), the rows that others have read are what it would find. Nothing older is given:
 * what has gone out of sight since is not shown.
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

/** The same with the stamp of its table, that was asked for after the subscription was. */
export interface StampedBeginning extends RowsBeginning {
  /** Null: its rows are for nobody else. */
  readonly stamp: string | null
  /** `SharedBeginnings.losses` before either was asked for. */
  readonly losses: number
}

interface SharedBeginning extends Pick<StampedBeginning, 'stamp'> {
  /** Held weakly: behind a gap nobody needs its log, and nobody may come for the model. */
  readonly history: WeakRef<History>
  readonly begun: Cursor
  /** `PageReads.begun` when the cursor was there: pages that began to be read later have all that stands before it. */
  readonly since: number
  readonly untilMs: number
}

/** What neither the stream nor the catalog shows, as a setting of the role, is seen after so long by whoever comes. */
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
  #losses = 0

  constructor(options: SharedBeginningsOptions) {
    this.#options = options
  }

  /** Where a change leads is said by the log, whoever comes. */
  onPart(): void {}

  /** How often changes may have gone missing. What was asked for before the last time says nothing of what came of it. */
  get losses(): number {
    return this.#losses
  }

  onLost(model: string | null): void {
    this.#losses += 1
    if (model === null) this.#byModel.clear()
    else this.#byModel.delete(model)
  }

  /** Whose beginning is of another origin shares none. */
  onRewound(): void {}

  /** `since` of whoever begins so: that of others, or its own, which is that of others from now on. */
  async sinceOf(model: string, own: StampedBeginning, since: number): Promise<number> {
    const { stamp, losses } = own
    if (stamp === null) {
      this.#byModel.delete(model)
      return since
    }
    if (losses !== this.#losses) return since
    const begun = parseCursor(own.cursor)
    if (this.#find(model, begun, stamp) !== null && (await this.#hasCome(own.endLsn))) {
      const shared = this.#find(model, begun, stamp)
      if (shared !== null) return shared.since
      // While it waited.
      if (losses !== this.#losses) return since
    }
    const history = this.#options.history()
    const untilMs = this.#options.now() + SHARED_MS
    if (history !== null)
      this.#byModel.set(model, { history: new WeakRef(history), begun, since, untilMs, stamp })
    return since
  }

  /** That of others, if it is good as far as the log has come. */
  #find(model: string, own: Cursor, stamp: string): SharedBeginning | null {
    const shared = this.#byModel.get(model)
    return shared?.stamp === stamp && this.#isGood(shared, model, own) ? shared : null
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
