/**
 * Stage 5, source. The background worker: connects, sets up, streams, confirms, and comes back after every failure. It
 * owns the replication connection and the lifecycle state, and nothing it does throws into the application.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { failureFields } from '../describe-error.ts'
import type { RowcastError } from '../errors.ts'
import { createGuard, type Guard } from '../guard.ts'
import { openReplicationConnection } from '../wire/connection.ts'
import { type DriverTarget, serverOfSlot } from '../wire/driver-target.ts'
import type { ReplicationConnection } from '../wire/replication-connection.ts'
import { explainRefusal } from './db/replication-probe.ts'
import { GAP_WORDS, GapNotices } from './published/gap-notices.ts'
import { type AttemptReading, Attempts, isNewsAt } from './session/attempts.ts'
import { retryDelayMs, SOURCE_TRANSITIONS, type SourceEvent, type SourceState } from './session/lifecycle.ts'
import { type StreamPhase, toStreamError } from './session/replication-error.ts'
import { createStreamSession } from './session/replication-session.ts'
import { streamStart } from './session/replication-start.ts'
import type { StreamSession } from './session/session-api.ts'
import { isStillBefore } from './session/session-trace.ts'
import { type PreparedStream, prepareStream } from './session/slot-preparation.ts'
import type { ReplicationSourceOptions } from './session/source-options.ts'
import { errorOf, isFlowing, isReady, type ReadinessReading } from './session/source-readiness.ts'
import type { SourceStatus } from './session/source-status.ts'
import { StandbyPatience } from './session/standby-patience.ts'
import { Waiters } from './session/waiters.ts'
import { WakeableWait } from './session/wakeable-wait.ts'
import type { SetupStep } from './setup/setup-plan.ts'
import { SlotRepair } from './slot/slot-repair.ts'
import { stalled } from './slot/slot-verdict.ts'

export type { SourceStatus } from './session/source-status.ts'

/** The worker. */
export interface ReplicationSource {
  /** Returns at once; everything else happens in the background. Starting twice is starting once. */
  start(): void
  /** Ends the worker: confirms what may be confirmed and closes the connection. */
  stop(): Promise<void>
  /** Sets publication, replica identities and slot up now. */
  enable(): Promise<readonly SetupStep[]>
  status(): SourceStatus
  /** Resolves when the state is the given one; for health checks and tests. */
  whenState(state: SourceState): Promise<void>
  /** Resolves when changes flow and this process has caught up. */
  whenReady(): Promise<void>
}

/** Creates the worker; it does nothing until `start()`. */
export function createReplicationSource(options: ReplicationSourceOptions): ReplicationSource {
  return new SourceWorker(options)
}

/** How long a fault of our own between two streams keeps the next one. */
const FAULT_DELAY_MS = 1_000

class SourceWorker implements ReplicationSource {
  readonly #options: ReplicationSourceOptions
  /** Whatever is opened for the worker ends with it, but for the stream, which has something to confirm first. */
  readonly #target: DriverTarget
  readonly #stopping = new AbortController()
  readonly #guard: Guard
  readonly #gaps: GapNotices
  readonly #session: StreamSession
  readonly #repair: SlotRepair
  readonly #waiters = new Waiters()
  readonly #attempts = new Attempts()
  readonly #wait = new WakeableWait()
  readonly #patience: StandbyPatience
  #state: SourceState = 'idle'
  #phase: StreamPhase = 'preparing'
  #lastError: RowcastError | null = null
  #streamsStarted = 0
  #loop: Promise<void> = Promise.resolve()
  #connection: ReplicationConnection | null = null
  /** Of our last walsender, which may hold the slot for a moment after its connection is gone. */
  #walsenderPid = 0

  constructor(options: ReplicationSourceOptions) {
    const { logger } = options
    const target = { ...options.target, waits: { ...options.target.waits, signal: this.#stopping.signal } }
    this.#options = options
    this.#target = target
    this.#guard = createGuard(logger)
    this.#gaps = new GapNotices((error) => {
      logger.error(error.message, { code: error.code, reason: error.details['reason'] })
      options.onGap(error)
    })
    this.#session = createStreamSession({ ...options, target }, () => this.#waiters.settle())
    this.#patience = new StandbyPatience(options)
    const hasStreamed = (): boolean => this.#session.position.past !== null
    this.#repair = new SlotRepair({ ...options, target, hasStreamed })
  }

  start(): void {
    if (this.#state !== 'idle') return
    this.#transition('start')
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#transition('stop')
    this.#wait.wake()
    await this.#connection?.close()
    // Nothing more comes for it: whatever of it the loop waits for ends, too.
    await this.#options.relay?.close()
    await this.#loop
  }

  async enable(): Promise<readonly SetupStep[]> {
    const steps = await this.#repair.setUp(this.#options.target)
    // Whatever the worker was waiting for may be repaired now.
    this.#repair.forget()
    this.#wait.wake()
    if (steps.length > 0) this.#session.look()
    return steps
  }

  status(): SourceStatus {
    const { position, stalledMs, slotHealth, watchHealth, identities } = this.#session
    const { slot, publication } = this.#options.goal
    const positions = position.describe()
    const reading = this.#readReadiness()
    return {
      ...{ state: this.#state, slot, publication, streamsStarted: this.#streamsStarted, positions },
      ...{ stalledMs, slotHealth, confirmedLsn: positions.confirmedLsn, system: position.system },
      failures: isFlowing(reading) ? 0 : this.#attempts.failures(this.#readAttempt()),
      lastError: errorOf(reading),
      failedLooks: watchHealth.failures,
      isReady: isReady(reading),
      isCatchingUp: reading.isCatchingUp,
      identityFaults: identities.faults,
    }
  }

  whenState(wanted: SourceState): Promise<void> {
    return this.#waiters.when(() => this.#state === wanted)
  }

  whenReady(): Promise<void> {
    return this.#waiters.when(() => isReady(this.#readReadiness()))
  }

  #readAttempt(): AttemptReading {
    return { hasDelivered: this.#session.hasDelivered, nowMs: performance.now() }
  }

  #readReadiness(): ReadinessReading {
    const { position, publication, stalledMs, watchHealth } = this.#session
    const { goal, stalledAfterMs } = this.#options
    return {
      ...{ state: this.#state, lastError: this.#lastError },
      isBlocked: isStillBefore(this.#lastError, position.safeLsn),
      isInDoubt: this.#attempts.isInDoubt(this.#readAttempt()),
      isCatchingUp: position.isCatchingUp || publication.isSettling,
      stall: stalledMs >= stalledAfterMs ? stalled(goal, stalledMs) : null,
      watchFault: watchHealth.fault,
    }
  }

  #transition(event: SourceEvent): void {
    this.#state = SOURCE_TRANSITIONS[this.#state][event]
    this.#patience.note(event)
    this.#waiters.settle()
  }

  /** Until `stop()`: a fault of our own between two streams is logged, and the next one begins a moment later. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#live()
      } catch (error) {
        this.#guard.report('begin the next stream', error)
        await delay(FAULT_DELAY_MS, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** One stream, and the wait behind it. */
  async #live(): Promise<void> {
    // A fault between two streams may have left it anywhere.
    if (this.#state !== 'connecting') this.#transition('failed')
    this.#transition('retryDue')
    const { goal } = this.#options
    let delayMs = 0
    try {
      await this.#streamOnce()
    } catch (error) {
      delayMs = this.#onError(toStreamError(error, this.#phase, serverOfSlot(this.#target), goal))
    }
    if (this.#stopping.signal.aborted) return
    this.#transition('failed')
    await this.#wait.during(delayMs)
  }

  /** One life of a connection; returns or throws when it is over. */
  async #streamOnce(): Promise<void> {
    const { signal } = this.#stopping
    this.#phase = 'preparing'
    await this.#options.relay?.connect()
    if (signal.aborted) return
    await this.#repair.run(this.#walsenderPid)
    const connection = await this.#connect()
    this.#connection = connection
    try {
      if (signal.aborted) return
      const prepared = await this.#prepare(connection)
      if (signal.aborted) return
      this.#walsenderPid = connection.serverPid
      this.#phase = 'starting'
      await this.#session.stream(connection, prepared, (begun) => this.#begin(begun))
      const reason = await this.#session.ended(connection, signal)
      if (reason !== null) throw this.#session.nameFault(reason)
    } finally {
      this.#guard.run('end the session of a stream', () => this.#session.end())
      await connection.close()
      this.#connection = null
    }
  }

  async #connect(): Promise<ReplicationConnection> {
    const { applicationName } = this.#options
    try {
      return await openReplicationConnection(serverOfSlot(this.#target), { applicationName })
    } catch (error) {
      throw await explainRefusal(error, serverOfSlot(this.#target))
    }
  }

  #prepare(connection: ReplicationConnection): Promise<PreparedStream> {
    const { goal, relay, slotBudget, isFailover } = this.#options
    return prepareStream(connection, {
      ...{ target: this.#target, goal, isFailover, past: this.#session.position.past, budget: slotBudget },
      readPast: relay === undefined ? undefined : (server) => relay.readPast(server),
      onStandby: (error) => this.#onStandby(error),
    })
  }

  /** Between the server's word that the stream begins and its first message. @returns whether all subscriptions begin with it */
  #begin(prepared: PreparedStream): boolean {
    const { continuity } = prepared
    const { relay, lastChanges, logger, goal } = this.#options
    if (continuity.kind === 'gap') this.#gaps.note(continuity.reason, GAP_WORDS[continuity.reason])
    const gap = this.#gaps.settle()
    const start = streamStart(prepared, gap, lastChanges !== undefined)
    relay?.begin({ ...start, continuity, gap }, this.#session.relayFeed)
    this.#options.onStreamStarted(start)
    this.#phase = 'streaming'
    this.#attempts.begin(this.#readAttempt())
    this.#streamsStarted += 1
    this.#repair.begin()
    this.#transition('streamStarted')
    if (isFlowing(this.#readReadiness())) this.#lastError = null
    logger.info('Streaming changes.', { slot: goal.slot, publication: goal.publication })
    return start.isFirst
  }

  #onStandby(error: RowcastError): void {
    if (this.#state !== 'standby') this.#options.logger.warn(error.message, { code: error.code })
    this.#lastError = error
    if (this.#options.relay !== undefined) this.#gaps.leaveToReader()
    this.#transition('slotInUse')
    // Our own of before may have it for a moment, and nobody else has the changes then.
    if (error.details['pid'] !== this.#walsenderPid) this.#patience.noteSlotInUse(performance.now())
  }

  /** An error of a running stream may be one of the form that was asked for; returns how long to wait. */
  #onError(error: RowcastError): number {
    if (this.#phase !== 'streaming') return this.#onFailure(error)
    return this.#session.adapt(error) ? 0 : this.#onFailure(this.#session.explain(error))
  }

  /** Decides what to do about it; returns how long to wait. */
  #onFailure(failure: RowcastError): number {
    const error = this.#repair.causeOf(failure)
    const failures = this.#attempts.fail(this.#readAttempt())
    const isNews = isNewsAt(failures, error, this.#lastError)
    this.#lastError = error
    if (this.#stopping.signal.aborted) return 0
    this.#log(error, failures, isNews)

    const news = this.#gaps.announceIfPending()
    if (news !== null) this.#options.relay?.tellGap(news)
    const { gap } = this.#repair.accept(failure)
    if (gap !== null) this.#gaps.note(gap, GAP_WORDS[gap])
    // What ended a stream may be repaired already.
    const isRepairing = this.#repair.isDue || failures === 1
    return retryDelayMs(error, failures, isRepairing, this.#options.random())
  }

  #log(error: RowcastError, failures: number, isNews: boolean): void {
    const { logger } = this.#options
    if (isNews) logger[error.retry === 'never' ? 'error' : 'warn'](error.message, failureFields(error))
    else logger.debug(error.message, { code: error.code, failures })
  }
}
