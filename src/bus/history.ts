/**
 * Stage 6, bus. One stretch of changes without a gap: the log of it, the origins it went through, and which
 * cursors it can serve.
 */

import type { AnyChange, ChangePosition } from '../changes/change.ts'
import { indexAt, offsetAfter } from '../changes/change-views.ts'
import {
  type Cursor,
  comparePositions,
  endBefore,
  formatCursor,
  INDEX_AFTER_ALL,
  isSameOrigin,
  laterOf,
  nextPosition,
  type StreamOrigin,
} from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import { EarlierCommits } from '../source/db/earlier-commits.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import type { LastChanges } from '../source/published/last-changes.ts'
import type { StreamStart } from '../source/watch/session-start.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { callAll } from './call-all.ts'
import { cannotResume, olderThanRetained } from './resync-required.ts'
import type { RetainedLog } from './retained-log.ts'

/** An origin and the position it ends at; the present one has none. */
interface OriginRange {
  readonly origin: StreamOrigin
  end: ChangePosition | null
}

/** A subscription, as far as it matters where it is. */
interface Waiting {
  /** Changes up to here are not for it. */
  readonly skipTo: ChangePosition | null
  readonly queue: { end(error: Error): void }
}

const GIVEN_UP = 'it is from a timeline that was given up before it'

/** A history without gaps. */
export class History {
  readonly log: RetainedLog
  /** What committed before the log, and before the ids that it knows. */
  readonly earlier: EarlierCommits
  readonly #isKnown: (model: string) => boolean
  #begun: ChangePosition
  readonly #origins: OriginRange[]
  /** Models some of whose changes are missing, and the newest position that lies before the gap's end. */
  readonly #cuts = new Map<string, ChangePosition>()
  #newest: { readonly position: ChangePosition; readonly cursor: string } | null = null
  /** WAL position of the server at the latest connect. */
  #serverLsn: Lsn
  /** Sequence number up to which every transaction of the log has been visible; what was visible once stays so. */
  #visibleUpTo = 0
  /** What a process before this one knew may still be read. */
  #isRecalling: boolean

  /** `models` that there are; absent where any may be. Messages of the database may name whatever their writers like. */
  constructor(start: StreamStart, log: RetainedLog, models?: Readonly<Record<string, unknown>>) {
    this.log = log
    this.earlier = new EarlierCommits(start.floorLsn)
    this.#isKnown = (model) => models === undefined || Object.hasOwn(models, model)
    this.#origins = [{ origin: originOf(start), end: null }]
    this.#serverLsn = start.serverLsn
    this.#begun = endBefore(start.serverLsn)
    this.#isRecalling = start.mayRecall ?? false
  }

  /** What committed before this process came is for those who ask for it by cursor; live begins after it. */
  get begun(): ChangePosition {
    return this.#begun
  }

  /**
   * The stream went on after a disconnection; a promoted standby begins a new timeline of the same history. Whoever is to
   * have what follows a position that the standby never reached would miss what stands there now: it ends.
   */
  continue(start: StreamStart, subscribers: Iterable<Waiting>): void {
    this.#serverLsn = start.serverLsn
    const present = this.#present
    if (isSameOrigin(present.origin, originOf(start))) return
    this.log.retreatTo(endBefore(start.floorLsn))
    present.end = this.log.newest
    this.#retreatCuts()
    this.earlier.retreatTo(start.sharedLsn ?? start.floorLsn)
    this.#newest = null
    this.#origins.push({ origin: originOf(start), end: null })
    if (start.sharedLsn === undefined) return
    const shared = endBefore(start.sharedLsn)
    if (comparePositions(this.#begun, shared) > 0) this.#begun = shared
    callAll(subscribers, ({ skipTo, queue }) => {
      if (skipTo !== null && comparePositions(skipTo, shared) > 0) queue.end(cannotResume(GIVEN_UP))
    })
  }

  /** Where a subscription without a cursor begins now. */
  get liveFrom(): ChangePosition {
    return laterOf(this.log.newest, this.begun)
  }

  /** The cursor of it. */
  get liveCursor(): string {
    return this.newestCursorFrom(this.begun)
  }

  /** The cursor that stands after the newest change: one text for all who ask meanwhile. */
  get newestCursor(): string {
    const { newest } = this.log
    if (this.#newest?.position !== newest) this.#newest = { position: newest, cursor: this.#format(newest) }
    return this.#newest.cursor
  }

  /** The same for whoever has everything up to the position, which may be ahead of this process. */
  newestCursorFrom(position: ChangePosition | null): string {
    const isAhead = position !== null && comparePositions(position, this.log.newest) > 0
    return isAhead ? this.#format(position) : this.newestCursor
  }

  /**
   * Why this history cannot go on after the cursor with changes of the model; null when it can. With `isShared` what
   * lies outside the log is no fault: others have more of it.
   */
  faultOf(cursor: Cursor, model: string, isShared = false): RowcastError | null {
    if (cursor.isPartial === true) return cannotResume('not all of the first rows had come')
    const range = this.#origins.find(({ origin }) => isSameOrigin(origin, cursor.origin))
    if (range === undefined) {
      const isSameCluster = this.#present.origin.systemId === cursor.origin.systemId
      return cannotResume(
        isSameCluster ? 'it is from another timeline of the database' : 'it is from another database',
      )
    }
    if (range.end !== null && comparePositions(cursor.position, range.end) > 0) {
      return cannotResume(GIVEN_UP)
    }
    const cut = this.#cuts.get(model)
    if (cut !== undefined && comparePositions(cursor.position, cut) <= 0) {
      return cannotResume('changes of its model could not be read for a while')
    }
    if (isShared) return null
    if (comparePositions(cursor.position, this.log.floorOf(model)) < 0) return olderThanRetained()
    const { commitLsn } = cursor.position
    // A commit that begins where the server's WAL ends is not in it.
    if (commitLsn >= this.#serverLsn && commitLsn > this.log.newest.commitLsn) return this.notReached()
    return null
  }

  /**
   * Whether it may still come out what became of the changes after the cursor, or of all there are: that it is not too old, or that
   * some are missing.
   */
  isUndecided(cursor: Cursor | null, model: string): boolean {
    return this.#isRecalling && (cursor === null || this.faultOf(cursor, model, true) === null)
  }

  /** After which position nothing of the model came, nor may have come. */
  lastOf(model: string): ChangePosition {
    const last = this.log.lastOf(model)
    const cut = this.#cuts.get(model)
    // Who stands right at a cut lacks what it cuts.
    return cut === undefined ? last : laterOf(last, nextPosition(cut))
  }

  /** What a process before this one knew, if it had read all that lies before this history. */
  recall({ origin, upTo, models }: LastChanges): void {
    const isOfThis = isSameOrigin(this.#present.origin, origin)
    const isWhole = comparePositions(endBefore(upTo), this.log.origin) >= 0
    const known = [...models].filter(([model]) => this.#isKnown(model))
    if (this.#isRecalling && isOfThis && isWhole) this.log.recall(new Map(known))
  }

  /** Nothing more is known of what lies before. */
  endRecall(): void {
    this.#isRecalling = false
  }

  /**
   * Changes of the model are missing up to now, or up to a position that stands between two transactions.
   * @returns the newest cursor that is no good any more
   */
  cut(model: string, position: ChangePosition | null): ChangePosition {
    if (position !== null) this.log.advanceTo(position)
    const { newest } = this.log
    if (this.#isKnown(model)) {
      this.#cuts.set(model, newest)
      // What is missing has committed, and need not be visible yet; the log, which would show it, does not have it.
      this.earlier.forgetTo(toLsn(newest.commitLsn + 1n))
    }
    this.log.advance()
    return newest
  }

  /** Ends of gaps on a timeline that was given up are beyond what the next one has: its positions stand behind them. */
  #retreatCuts(): void {
    const { newest } = this.log
    const given = [...this.#cuts].filter(([, cut]) => comparePositions(cut, newest) >= 0)
    for (const [model] of given) this.#cuts.set(model, newest)
    if (given.length > 0) this.log.advance()
  }

  /**
   * Where all that is retained of the model begins: what lies before a gap is no beginning. Null: with the oldest, also where the log has
   * dropped what followed the gap. With `isShared` others have that.
   */
  beginningOf(model: string, isShared = false): ChangePosition | null {
    const cut = this.#cuts.get(model) ?? null
    return cut !== null && (isShared || comparePositions(cut, this.log.floorOf(model)) >= 0) ? cut : null
  }

  /** Everything before `lsn` has come, though nothing of it may have been for us. */
  advanceTo(lsn: Lsn): void {
    this.log.advanceTo(endBefore(lsn))
  }

  /** The change at the cursor; null where none is. @throws RESYNC_REQUIRED where it is not known here */
  changeAt(cursor: Cursor): AnyChange | null {
    const { position } = cursor
    const fault = this.faultOf(cursor, '')
    if (fault !== null) throw fault
    if (comparePositions(position, this.log.floor) <= 0) throw olderThanRetained()
    const { commitLsn, index } = position
    for (let sequence = this.log.find({ commitLsn, index: index - 1 }); ; sequence += 1) {
      const part = this.log.read(sequence)?.part
      if (part === undefined || part.transaction.commitLsn > commitLsn) return null
      const offset = offsetAfter(part.changes, index - 1)
      if (offset < part.changes.length) {
        return indexAt(part.changes, offset) === index ? (part.changes.at(offset) ?? null) : null
      }
    }
  }

  /** The end of a subscription whose cursor lies ahead of the database. */
  notReached(): RowcastError {
    return cannotResume('the database has not come that far: it was restored or has failed over')
  }

  /**
   * The newest cursor that stands before every change of a transaction that is not visible; null as long as it is not known of what
   * committed before the log that it is. PostgreSQL sends a
   * transaction once its commit is on disk, which may be before a new snapshot sees it. What has been seen once stays
   * seen, and what lies between ids that are seen is not looked at: a call costs microseconds, however long the log is.
   */
  cursorBefore(isVisible: IsVisible): string | null {
    const { log, earlier } = this
    const forgotten = log.forgottenBefore(this.#visibleUpTo)
    if (forgotten !== null) earlier.forgetTo(forgotten)
    if (!earlier.areSeen(isVisible)) return null
    const { replayedLsn = null } = isVisible
    const replayed = replayedLsn === null ? 0 : log.find(endBefore(replayedLsn))
    this.#visibleUpTo = Math.max(this.#visibleUpTo, replayed)
    this.#visibleUpTo = log.seekUnseen(this.#visibleUpTo, isVisible)
    return this.#visibleUpTo === log.end ? this.newestCursor : this.#format(log.endBefore(this.#visibleUpTo))
  }

  /** The cursor that stands behind all that committed up to the position. */
  cursorBehind(commitLsn: Lsn): string {
    return this.#format({ commitLsn, index: INDEX_AFTER_ALL })
  }

  get #present(): OriginRange {
    return this.#origins[this.#origins.length - 1] as OriginRange
  }

  #format(position: ChangePosition): string {
    const { origin } =
      this.#origins.find(({ end }) => end === null || comparePositions(position, end) <= 0) ?? this.#present
    return formatCursor(origin, position.commitLsn, position.index)
  }
}

/** What asks for a change before there is a history. */
export function failWithoutHistory(): never {
  const reason = 'no stream has begun yet'
  throw new RowcastError('RESYNC_REQUIRED', 'No stream has begun yet.', { details: { reason } })
}

function originOf({ systemId, timeline }: StreamStart): StreamOrigin {
  return { systemId, timeline }
}
