/**
 * Stage 5, source. What looks at slot, publication and tables say of the stream while it lasts: the health that is shown,
 * and the reason to end it. One per source.
 */
import { RowcastError } from '../../errors.ts'
import { LSN_ZERO, type Lsn } from '../../wire/lsn.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import type { SlotReading } from '../db/heartbeat.ts'
import type { RunQuery } from '../db/run-query.ts'
import type { SlotState } from '../facts/slot-state.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { dropSkipMarks } from '../setup/skip-marks.ts'
import { BudgetGrace } from '../slot/budget-grace.ts'
import type { SourceFacts } from '../slot/slot-facts.ts'
import { judgeDrift, judgeFacts, overBudget } from '../slot/slot-verdict.ts'
import { createSlotWatch, type SlotWatch } from '../slot/slot-watch.ts'
import { StallWatch } from '../slot/stall-watch.ts'
import type { DriftWatch } from '../watch/drift-watch.ts'
import { IdentityKeeper } from '../watch/identity-keeper.ts'
import type { PublicationGuard } from '../watch/publication-guard.ts'
import { WatchHealth } from '../watch/watch-health.ts'
import type { StreamPosition } from './ack-state.ts'
import type { FormKeeper } from './form-keeper.ts'
import type { OwnFaults } from './own-faults.ts'
import type { ReaderWait } from './reader-wait.ts'
import { SlotNews } from './slot-news.ts'
import type { ReplicationSourceOptions } from './source-options.ts'
import type { SlotHealth } from './source-status.ts'

/** What it works on. */
export interface SessionWatchParts {
  readonly position: StreamPosition
  readonly guard: PublicationGuard
  readonly drifts: DriftWatch
  readonly forms: FormKeeper
  readonly faults: OwnFaults
  readonly readerWait: Pick<ReaderWait, 'isWaiting'>
  /** The connection that streams now, if one does. */
  readonly connectionNow: () => ReplicationConnection | null
  /** Of all streams, in bytes. */
  readonly receivedBytes: () => number
  readonly onProgress: () => void
}

/** What the facts alone forbid, and what has changed since the stream began; null: it goes on. */
export function judgeLook(
  baseline: SourceFacts | null,
  now: SourceFacts,
  goal: SetupGoal,
): RowcastError | null {
  return judgeFacts(now, goal) ?? (baseline === null ? null : judgeDrift(baseline, now, goal))
}

/** Marks whose transactions the slot has passed: nobody meets them again. */
export function passedMarks({ skips, slot }: Pick<SourceFacts, 'skips' | 'slot'>): readonly Lsn[] {
  const passed = slot?.confirmedLsn ?? LSN_ZERO
  return skips.filter((skip) => skip <= passed)
}

/** The slot at one look, for what compares two. */
export function slotReading(
  { retainedBytes, restartBytes }: SlotState,
  { serverLsn, maySnapshot }: SourceFacts,
  { safeLsn, releasedLsn }: Pick<StreamPosition, 'safeLsn' | 'releasedLsn'>,
): SlotReading {
  return {
    ...{ serverLsn, safeLsn, releasedLsn, maySnapshot },
    retainedBytes: retainedBytes ?? 0,
    restartBytes: restartBytes ?? 0,
  }
}

function readByOther(
  slot: SlotState | null,
  { serverPid }: Pick<ReplicationConnection, 'serverPid'>,
  goal: SetupGoal,
): RowcastError {
  const reader = slot === null ? 'is not there' : `is read by ${describeReader(slot.activePid)}`
  const happened = `Where the look went, slot "${goal.slot}" ${reader}; the stream reads it as process ${serverPid}.`
  return new RowcastError('SOURCE_WATCH_FAILED', happened, {
    hint: 'Give rowcast an address that leads to one server, the primary: another connection reached another server than the stream did.',
  })
}

const describeReader = (pid: number | null): string => (pid === null ? 'nobody' : `process ${pid}`)

/** Looks while a stream lasts. */
export class SessionWatch {
  readonly health = new WatchHealth()
  readonly identities: IdentityKeeper
  readonly #options: ReplicationSourceOptions
  readonly #parts: SessionWatchParts
  readonly #watch: SlotWatch
  readonly #stall: StallWatch
  readonly #slotNews: SlotNews
  readonly #grace = new BudgetGrace()
  /** The facts the stream began with. */
  #baseline: SourceFacts | null = null
  #slotHealth: SlotHealth | null = null

  constructor(options: ReplicationSourceOptions, parts: SessionWatchParts) {
    this.#options = options
    this.#parts = parts
    const { goal, logger, stalledAfterMs } = options
    const { guard } = parts.faults
    this.identities = new IdentityKeeper({ ...options, guard })
    this.#stall = new StallWatch({ goal, logger, stalledAfterMs })
    this.#slotNews = new SlotNews({ slot: goal.slot, budget: options.slotBudget, logger })
    this.#watch = createSlotWatch({
      ...{ ...options, guard },
      intervalMs: options.watchIntervalMs,
      onFacts: (facts) => this.#onFacts(facts),
      onFailedLook: (error) => this.#onFailedLook(error),
      settle: (query, facts) => this.#settle(query, facts),
      beat: (query) => parts.guard.beat(query),
    })
  }

  /** The slot at the last look; null before the first. */
  get slotHealth(): SlotHealth | null {
    return this.#slotHealth
  }

  /** How long WAL has been waiting, at the last look, without any of it coming. */
  get stalledMs(): number {
    return this.#stall.stalledMs
  }

  /** Looks now, out of turn. */
  look(): void {
    this.#watch.look()
  }

  /** A stream begins with these facts, which were read on its own connection. */
  begin(facts: SourceFacts): void {
    this.#baseline = facts
    this.#see(facts)
    this.#slotHealth = this.#slotNews.note(facts)
    this.#stall.reset()
    this.identities.begin(facts.serverVersion)
    this.health.succeeded()
    this.#watch.start()
  }

  /** The stream is over. */
  end(): void {
    this.#watch.stop()
    this.identities.stop()
    this.#stall.reset()
  }

  /** What a look saw, while the stream lasts; ends the stream when it is no longer worth anything. */
  #onFacts(facts: SourceFacts): SlotReading | null {
    const { slot, serverLsn } = facts
    const { position, drifts, onProgress } = this.#parts
    const connection = this.#parts.connectionNow()
    if (connection === null) return null
    // A new connection may reach another server than the stream's: behind a proxy, or after a failover. What it sees says nothing of the stream.
    if (slot === null || slot.activePid !== connection.serverPid) {
      this.#onFailedLook(readByOther(slot, connection, this.#options.goal))
      return null
    }
    if (this.health.succeeded())
      this.#options.logger.info('Slot, publication and tables can be looked at again.')
    position.noteServerLsn(serverLsn)
    const [receivedBytes, nowMs] = [this.#parts.receivedBytes(), performance.now()]
    const isHeldBack = this.#parts.readerWait.isWaiting
    this.#stall.observe({ safeLsn: position.reachedLsn, serverLsn, receivedBytes, isHeldBack, nowMs })
    this.#see(facts)
    onProgress()
    drifts.reaches(position.reachedLsn)
    this.#slotHealth = this.#slotNews.note(facts)
    this.identities.look(facts.identityFaults)
    const end = this.#judge(facts, slot)
    if (end !== null) connection.abort(end)
    position.confirm()
    return slotReading(slot, facts, position)
  }

  /** What queries see of what has come. */
  #see({ sight }: SourceFacts): void {
    const { position } = this.#parts
    position.seen.look(sight, position.readLsn)
    this.#options.onSeen(position.seenLsn)
  }

  /** Why the stream ends; null: it goes on. */
  #judge(facts: SourceFacts, slot: SlotState): RowcastError | null {
    const { position, guard, forms } = this.#parts
    const { goal, slotBudget } = this.#options
    const { modelTables, serverLsn, maySnapshot } = facts
    const verdict = judgeLook(this.#baseline, facts, goal) ?? forms.judge(modelTables)
    // Without a publication no model is worse off than another.
    const end = verdict ?? guard.look(modelTables, serverLsn, position.safeLsn)
    if (end !== null || slotBudget === null) return end
    const isOver = this.#grace.isOver(slot, slotBudget, maySnapshot, performance.now())
    return isOver ? overBudget(slot, slotBudget, goal) : null
  }

  #onFailedLook(error: RowcastError): void {
    const { logger } = this.#options
    const news = this.health.failed(error)
    if (news === null) logger.debug(`A look at the slot failed. ${error.message}`, { code: error.code })
    else logger.warn(news.message, { code: news.code, reason: error.code })
    this.#parts.onProgress()
  }

  async #settle(query: RunQuery, facts: SourceFacts): Promise<boolean> {
    const { drifts, guard } = this.#parts
    await dropSkipMarks(query, this.#options.goal.slot, passedMarks(facts))
    if (drifts.isDue) await drifts.look(query, facts.modelTables)
    return guard.settle(query, facts.mayEmit)
  }
}
