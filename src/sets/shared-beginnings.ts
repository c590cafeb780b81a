/**
 * Beside the spine, sets. First rows that others have read a moment ago are as good as one's own where everything that has come since is
 * still to be had: a subscription then begins at the cursor of those others, and catches up. What it would be ended by on the way is looked
 * for first: who comes after a TRUNCATE is not to hear of it.
 */
import type { History } from '../bus/history.ts'
import { comparePositions, isSameOrigin, parseCursor } from '../changes/cursor.ts'
import type { Lsn } from '../wire/lsn.ts'
import { canBeAdded } from './row-read.ts'

/** Where a subscription begins. */
export interface RowsBeginning {
  readonly cursor: string
  /** `PageReads.begun` when the cursor was there: pages that began to be read later have all that stands before it. */
  readonly since: number
}

/** What a subscription finds by itself. */
export interface OwnBeginning extends RowsBeginning {
  /** Its database showed nothing that committed behind this; null where that is not known. */
  readonly endLsn: Lsn | null
}

interface SharedBeginning extends RowsBeginning {
  readonly history: History
  readonly untilMs: number
  /** Sequence number of the first part that has not been looked at, and how many changes of the model stood before. */
  lookedTo: number
  changes: number
}

/** A beginning is shared for so long, and while so few changes of its model have come. */
export const SHARED_MS = 5_000
const CHANGES_MAX = 1_000
/** How often it is looked, and how long at most, whether the stream has come to what a database shows. */
const LOOK_INTERVAL_MS = 10
const LOOKS_MAX = 20

export interface SharedBeginningsOptions {
  readonly history: () => History | null
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
}

/** Those of one process, by model. */
export class SharedBeginnings {
  readonly #options: SharedBeginningsOptions
  readonly #byModel = new Map<string, SharedBeginning>()

  constructor(options: SharedBeginningsOptions) {
    this.#options = options
  }

  /** The one that others have begun at, or its own, which is that of others from now on. */
  async of(model: string, own: OwnBeginning): Promise<RowsBeginning> {
    const { history, now } = this.#options
    if (this.#byModel.has(model) && (await this.#hasCome(own.endLsn))) {
      const shared = this.#byModel.get(model)
      if (shared !== undefined && this.#isGood(shared, model, own)) return shared
    }
    const present = history()
    if (present !== null)
      this.#byModel.set(model, {
        ...{ cursor: own.cursor, since: own.since, history: present, untilMs: now() + SHARED_MS, changes: 0 },
        lookedTo: present.log.find(parseCursor(own.cursor).position),
      })
    return own
  }

  /** Whether the log has all that the database has shown: what is not there yet cannot be looked at. */
  async #hasCome(endLsn: Lsn | null): Promise<boolean> {
    if (endLsn === null) return false
    for (let looks = 0; looks <= LOOKS_MAX; looks += 1) {
      const history = this.#options.history()
      if (history === null) return false
      if (history.log.openLsn === null && history.log.newest.commitLsn >= endLsn - 1n) return true
      await this.#options.wait(LOOK_INTERVAL_MS)
    }
    return false
  }

  #isGood(shared: SharedBeginning, model: string, own: RowsBeginning): boolean {
    if (shared.history !== this.#options.history() || shared.untilMs <= this.#options.now()) return false
    const [from, to] = [parseCursor(shared.cursor), parseCursor(own.cursor)]
    if (!isSameOrigin(from.origin, to.origin) || comparePositions(from.position, to.position) > 0)
      return false
    return shared.history.faultOf(from, model) === null && this.#lookOn(shared, model)
  }

  /** Whether all changes of the model since then can be added to rows, and are few. Each is looked at once for all. */
  #lookOn(shared: SharedBeginning, model: string): boolean {
    const { log } = shared.history
    while (shared.changes <= CHANGES_MAX) {
      const sequence = log.seek(model, shared.lookedTo)
      if (sequence >= log.end) return true
      const entry = log.read(sequence)
      if (entry === null) return false
      for (const { from, to } of entry.spans.filter((each) => each.model === model)) {
        shared.changes += to - from
        for (let offset = from; offset < to && shared.changes <= CHANGES_MAX; offset += 1) {
          const change = entry.part.changes.at(offset)
          if (change?.model === model && !canBeAdded(change)) shared.changes = Number.POSITIVE_INFINITY
        }
      }
      shared.lookedTo = sequence + 1
    }
    return false
  }
}
