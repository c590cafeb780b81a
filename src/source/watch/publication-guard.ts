/**
 * Stage 5, source. Holds the models' subscriptions to what is published: takes looks at the catalog and what the stream
 * shows of it, refuses a model while its changes are suspect, and has barriers written that end its old cursors.
 */

import type { ChangePosition } from '../../changes/change-position.ts'
import { INDEX_AFTER_ALL } from '../../changes/cursor.ts'
import type { EmittedMessage } from '../../changes/emitted-message.ts'
import type { RowcastError } from '../../errors.ts'
import { earlierLsn, LSN_ZERO, type Lsn } from '../../wire/lsn.ts'
import { HEARTBEAT_SQL } from '../db/heartbeat.ts'
import type { RunQuery } from '../db/run-query.ts'
import { isPassing, sqlstateOf } from '../db/sqlstate.ts'
import {
  type Barrier,
  barrierSql,
  isOwnMessage,
  isReadable,
  missedBy,
  parseBarrier,
} from '../published/barrier-message.ts'
import { readableModels } from '../published/last-changes.ts'
import type { ModelLook } from '../published/model-look.ts'
import { PublicationLedger } from '../published/publication-ledger.ts'
import { groupByModel } from '../published/published-tables.ts'
import { readWriters } from '../published/published-tables-sql.ts'
import type { Writers } from '../published/writers.ts'
import {
  createStaleRootError,
  type FoundTable,
  ModelTableGuard,
  type ModelTableState,
} from '../setup/model-tables.ts'
import { ConfirmCeiling } from '../slot/confirm-ceiling.ts'
import { endInheritance } from './inherited-cursors.ts'
import type { PublicationGuardOptions, PublicationStart } from './publication-guard-options.ts'
import { UnwrittenBarriers } from './unwritten-barriers.ts'
import { WaitingModels } from './waiting-models.ts'

/** From here on pgoutput forgets, with a table's catalog entries, under whose name its rows come. */
const FORGETS_ROOTS_VERSION = 150_000

/** One per source. */
export class PublicationGuard {
  readonly #options: PublicationGuardOptions
  #ledger = new PublicationLedger()
  readonly #tables: ModelTableGuard
  readonly #ceiling: ConfirmCeiling
  #found: readonly FoundTable[] = []
  #start: PublicationStart | null = null
  /** The server takes no barrier: each look counts for one. */
  #isUnwritable = false
  readonly #unwritten = new UnwrittenBarriers()
  readonly #waiting: WaitingModels
  /** A barrier is on its way. */
  #isRenewalSent = false
  /** The last barrier says up to where all was visible. */
  #isSeenWritten = false

  constructor(options: PublicationGuardOptions) {
    this.#options = options
    this.#ceiling = options.ceiling ?? new ConfirmCeiling()
    const { registry, publication, listener, judge, logger } = options
    this.#waiting = new WaitingModels(logger)
    this.#tables = new ModelTableGuard({ registry, publication, listener, judge })
  }

  /** Whether subscriptions from before may still turn out to have missed something. */
  get isSettling(): boolean {
    return this.#ledger.isSettling
  }

  /** A stream begins. */
  begin(start: PublicationStart): void {
    // As in a process that has just come: rows of a table that a later barrier has replaced are no news.
    if (start.isRewound === true) this.#ledger = new PublicationLedger()
    const { continuity, facts, known } = start
    if (known !== 'own') this.#ledger.restore(known?.verified ?? new Map(), known?.models ?? null)
    const keepsRoots = facts !== undefined && facts.serverVersion < FORGETS_ROOTS_VERSION
    this.#ledger.begin({ floorLsn: continuity?.floorLsn ?? LSN_ZERO, keepsRoots })
    this.#start = start
    this.#isUnwritable = false
    this.#unwritten.forget()
    this.#isRenewalSent = false
    this.#lookAtStart()
  }

  /** All barriers that are older than this process have come by the time it has caught up. */
  noteProgress(isCatchingUp: boolean): void {
    if (this.#ledger.isComplete || isCatchingUp) return
    this.#ledger.complete()
    try {
      this.#lookAtStart()
    } finally {
      endInheritance(this.#ledger.openSuspects, this.#options.listener)
    }
  }

  #lookAtStart(): void {
    const start = this.#start
    if (start === null) return
    this.#take(start.found, start.facts?.serverLsn, start.writers, !start.isFresh)
    if (this.#ledger.awaited.size > 0 || this.#renewal() !== null) this.#options.listener.onEvidence()
  }

  /**
   * Takes a look at the catalog, at or after this position of the server.
   * @returns why the stream, which would begin at `safeLsn`, has to restart; null: it goes on
   */
  look(found: readonly FoundTable[], serverLsn: Lsn, safeLsn = LSN_ZERO): RowcastError | null {
    this.#take(found, serverLsn)
    if (this.#isUnwritable && this.#ledger.isSettled) this.#ceiling.raise(serverLsn)
    const { staleUntil } = this.#ledger
    return staleUntil !== null && safeLsn >= staleUntil ? createStaleRootError() : null
  }

  /** The barrier that is written for the process that starts next; null: the last one is good enough. For what is visible alone nobody looks before its turn. */
  #renewal(isLook = false): Barrier | null {
    const isDue = isLook && !this.#isSeenWritten && this.#seenNow > LSN_ZERO
    const isRenewed = isDue || this.#ceiling.isDue || this.#ledger.hasNews
    return isRenewed && !this.#isRenewalSent ? this.#ledger.renew() : null
  }

  #take(
    found: readonly FoundTable[],
    serverLsn?: Lsn,
    writers: Writers | null = null,
    isHolding = true,
  ): void {
    this.#found = found
    const published = groupByModel(found)
    const isOlder = (model: string) => found.every((each) => each.model !== model || each.isOlderThanSlot)
    this.#ledger.look(
      new Map(
        [...published].map(([model, tables]): [string, ModelLook] => [
          model,
          { published: tables, isOlderThanSlot: isOlder(model) },
        ]),
      ),
      writers,
      isHolding,
      serverLsn,
    )
    this.#update()
  }

  /**
   * Writes the barriers that are due, on the connection of the look. A server that is known to take none is not asked again and
   * again: it would log each refusal.
   * @returns whether some wait for transactions
   */
  async settle(query: RunQuery, mayEmit = true): Promise<boolean> {
    const barrier = (await this.#plan(query)) ?? this.#renewal(true)
    if (barrier !== null && mayEmit) await this.#write(query, barrier)
    else if (barrier !== null) this.#passUnwritten(barrier, null)
    this.#passReached()
    return this.#ledger.awaited.size > 0 || this.#unwritten.isWaiting
  }

  /** Writes a message, so that the slot moves: a barrier where one can be, as the slot is held at the last one. */
  async beat(query: RunQuery): Promise<void> {
    const barrier = this.#isUnwritable ? null : this.#ledger.renew()
    if (barrier === null) await query(HEARTBEAT_SQL)
    else await this.#write(query, barrier)
  }

  async #plan(query: RunQuery): Promise<Barrier | null> {
    const { awaited } = this.#ledger
    if (awaited.size === 0) return null
    const barrier = this.#ledger.plan(await readWriters(query, awaited))
    for (const model of awaited.keys()) this.#waiting.report(model, this.#ledger.writersOf(model))
    return barrier
  }

  async #write(query: RunQuery, barrier: Barrier): Promise<void> {
    const { slot } = this.#options
    const said = { ...barrier, ...this.#knowledge() }
    // It would be written and never read, and be waited for.
    if (!isReadable(said, slot)) return this.#passUnwritten(barrier, null)
    // The stream may bring it before the query has its answer.
    this.#isRenewalSent = true
    try {
      await query(barrierSql(said, slot))
      this.#isUnwritable = false
    } catch (error) {
      this.#isRenewalSent = false
      // One that is never taken waits for its gap to be read: it is not due again, which would cut twice.
      if (!isPassing(sqlstateOf(error))) return this.#passUnwritten(barrier, error)
      this.#ledger.withdraw(barrier)
      throw error
    }
  }

  get #seenNow(): Lsn {
    return this.#options.seenNow?.() ?? LSN_ZERO
  }

  /** For the process that starts next. */
  #knowledge(): Pick<Barrier, 'lasts' | 'seen'> {
    const { lastChanges, registry } = this.#options
    const lasts = lastChanges?.(readableModels(this.#ledger.verified, this.#found, registry)) ?? null
    const seen = this.#seenNow
    return seen === LSN_ZERO ? { lasts } : { lasts, seen }
  }

  /** Takes a message of the stream. @returns whether it was one of ours */
  takeMessage(message: EmittedMessage): boolean {
    if (!isOwnMessage(message)) return false
    const barrier = parseBarrier(message, this.#options.slot)
    if (barrier === null || message.transaction === null) return true
    const { commitLsn } = message.transaction
    if (barrier.isSkip !== true) {
      this.#isRenewalSent = false
      const { lasts = null, seen } = barrier
      const heldAt = earlierLsn(lasts?.upTo ?? commitLsn, seen ?? commitLsn)
      if (this.#ledger.isCoveredBy(barrier)) this.#ceiling.raise(commitLsn, message.content.length, heldAt)
      this.#isSeenWritten = seen !== undefined
      if (seen !== undefined) this.#options.onSeen?.(seen)
      if (lasts !== null && !this.#ledger.isComplete) this.#options.listener.lastChanges?.recall(lasts)
    }
    this.#pass(barrier, { commitLsn, index: INDEX_AFTER_ALL })
    return true
  }

  /** The stream brings rows of the model from this table. */
  seeTable(model: string, oid: number): void {
    if (!this.#ledger.seeTable(model, oid)) return
    this.#update()
    this.#options.listener.onEvidence()
  }

  /** The stream shows that changes of the model may be missing. */
  doubt(model: string): void {
    if (!this.#ledger.doubt(model)) return
    this.#update()
    this.#options.listener.onEvidence()
  }

  #pass(barrier: Barrier, position: ChangePosition | null): void {
    const { cleanFrom } = barrier
    for (const model of barrier.cut)
      this.#options.listener.onCut(model, { position, cleanFrom, error: missedBy(barrier, model) })
    if (barrier.isSkip !== true) this.#ledger.pass(barrier)
    this.#update()
    // What committed in a gap has not come: only a look shows that all before its end is visible, whoever is still writing.
    if (barrier.cut.length > 0) this.#options.listener.onEvidence()
    this.#options.listener.onProgress()
  }

  /** A server that takes no message (a standby, a role that may not), or a barrier that is too large for one: this process alone knows. */
  #passUnwritten(barrier: Barrier, error: unknown): void {
    this.#isUnwritable = true
    if (barrier.cut.length === 0) return
    const models = barrier.cut.join(', ')
    this.#options.logger.warn(
      'A gap could not be written down: a restart of this process may accept cursors from before it.',
      { models, sqlstate: sqlstateOf(error) },
    )
    this.#unwritten.add(barrier)
  }

  #passReached(): void {
    for (const barrier of this.#unwritten.take(this.#options.reachedNow?.() ?? null))
      this.#pass(barrier, null)
  }

  #update(): void {
    const states = this.#found.map((found): ModelTableState => {
      const { isOlderThanSlot: _, ...table } = found
      const published = found.published === null ? null : this.#ledger.knownOf(found.model, found.published)
      return { ...table, published, standing: this.#standingOf(found.model) }
    })
    this.#tables.update(states)
    this.#options.listener.onTables(states)
  }

  #standingOf(model: string): ModelTableState['standing'] {
    if (this.#ledger.isHeld(model)) return 'settling'
    return this.#ledger.isVerified(model) ? 'verified' : 'unknown'
  }
}
