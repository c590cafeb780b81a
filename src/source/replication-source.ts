/**
 * Stage 5, source. The background worker: connects, sets up, streams, confirms, and comes back after every failure. It
 * owns the replication connection and the lifecycle state, and nothing it does throws into the application.
 */
import type { RowcastError } from '../errors.ts'
import { openReplicationConnection } from '../wire/connection.ts'
import type { ReplicationConnection } from '../wire/replication-connection.ts'
import { explainRefusal } from './db/replication-probe.ts'
import { toRowcastError } from './db/sqlstate.ts'
import { GAP_WORDS, GapNotices } from './published/gap-notices.ts'
import { Attempts, isNewsAt } from './session/attempts.ts'
import {
  backoffDelayMs,
  SOURCE_TRANSITIONS,
  type SourceEvent,
  type SourceState,
} from './session/lifecycle.ts'
import { type StreamPhase, toStreamError } from './session/replication-error.ts'
import { createStreamSession } from './session/replication-session.ts'
import { isStillBefore } from './session/session-trace.ts'
import { type PreparedStream, prepareStream } from './session/slot-preparation.ts'
import type { ReplicationSourceOptions } from './session/source-options.ts'
import type { SourceStatus } from './session/source-status.ts'
import { Waiters } from './session/waiters.ts'
import { logLockWait } from './setup/run-steps.ts'
import { runSetup } from './setup/setup.ts'
import { isOfTables, type SetupStep } from './setup/setup-plan.ts'
import { createSlot, dropSlot } from './slot/slot-control.ts'
import { NO_REMEDY, remedyFor } from './slot/slot-remedy.ts'
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

/** Another process reads the slot, or the broker is away: either may be over at any moment. */
const PASSING_DELAY_MAX_MS = 1_000

/** Creates the worker; it does nothing until `start()`. */
export function createReplicationSource(options: ReplicationSourceOptions): ReplicationSource {
  const { goal, logger, slotLostPolicy, relay } = options
  const stopping = new AbortController()
  // Whatever is opened for the worker ends with it, but for the stream, which has something to confirm first.
  const target = { ...options.target, waits: { ...options.target.waits, signal: stopping.signal } }
  const gaps = new GapNotices((error) => {
    logger.error(error.message, { code: error.code, reason: error.details['reason'] })
    options.onGap(error)
  })
  const session = createStreamSession({ ...options, target }, () => waiters.settle())
  const waiters = new Waiters()
  let state: SourceState = 'idle'
  let lastError: RowcastError | null = null
  const attempts = new Attempts()
  let streamsStarted = 0
  let loop: Promise<void> = Promise.resolve()
  let connection: ReplicationConnection | null = null
  /** Of our last walsender, which may hold the slot for a moment after its connection is gone. */
  let walsenderPid = 0
  let wake = () => {}
  let phase: StreamPhase = 'preparing'
  let isSlotToDrop = false
  let isSlotToCreate = false
  /** The slot was let go because of the budget; a person decides when there is to be one again. */
  let released: RowcastError | null = null

  const reading = () => ({ hasDelivered: session.hasDelivered, nowMs: performance.now() })
  const isBlocked = () => isStillBefore(lastError, session.position.safeLsn)
  const isStalled = () => session.stalledMs >= options.stalledAfterMs
  const isFlowing = () => state === 'streaming' && !isBlocked() && !attempts.isInDoubt(reading())
  const isCatchingUp = () => session.position.isCatchingUp || session.publication.isSettling
  const isReady = () => isFlowing() && !isCatchingUp() && !isStalled() && session.watchHealth.fault === null

  function transition(event: SourceEvent): void {
    state = SOURCE_TRANSITIONS[state][event]
    waiters.settle()
  }

  /** With the worker's own target it ends with the worker; who calls `enable()` may have stopped it before. */
  async function setUp(at: typeof options.target): Promise<readonly SetupStep[]> {
    try {
      const steps = await runSetup(at, goal, { onWait: logLockWait(logger), signal: at.waits?.signal })
      for (const step of steps) logger.info(`Set up: ${step.sql}`, { why: step.why })
      isSlotToCreate = false
      return steps
    } catch (error) {
      throw toRowcastError(error, target)
    }
  }

  /** With `stop`, nothing in the database is changed once the slot has been in use. */
  function isSetUpDue(): boolean {
    const isUntouched = session.position.past === null && released === null
    return options.isEnabledOnConnect && (slotLostPolicy === 'recreate' || isUntouched)
  }

  async function repairSlot(): Promise<void> {
    const isDropping = isSlotToDrop
    // Not again when it fails because somebody else reads the slot: it is theirs then.
    isSlotToDrop = false
    if (isDropping) await dropSlot(target, goal.slot, walsenderPid)
    if (isSetUpDue()) await setUp(target).catch(goOnWithout)
    if (isSlotToCreate) {
      await createSlot(target, goal)
      logger.info('A fresh replication slot was made.', { slot: goal.slot })
    }
    isSlotToCreate = false
  }

  /** Once this process has streamed, what is wrong with a table closes its model: the others go on. */
  function goOnWithout(error: RowcastError): void {
    if (session.position.past === null || !isOfTables(error)) throw error
    logger.warn(error.message, { code: error.code })
  }

  /** One life of a connection; returns or throws when it is over. */
  async function streamOnce(): Promise<void> {
    phase = 'preparing'
    await relay?.connect()
    if (stopping.signal.aborted) return
    await repairSlot()
    connection = await openReplicationConnection(target, { applicationName: options.applicationName }).catch(
      async (error: unknown) => {
        throw await explainRefusal(error, target)
      },
    )
    try {
      if (stopping.signal.aborted) return
      const prepared = await prepareStream(connection, {
        goal,
        past: session.position.past,
        readPast: relay === undefined ? undefined : (server) => relay.readPast(server),
        budget: options.slotBudget,
        isFailover: options.isFailover,
        onStandby,
      })
      if (stopping.signal.aborted) return
      walsenderPid = connection.serverPid
      phase = 'starting'
      await session.stream(connection, prepared, begin)
      const reason = await session.ended(connection, stopping.signal)
      if (reason !== null) throw session.nameFault(reason)
    } finally {
      session.end()
      await connection.close()
      connection = null
    }
  }

  /** Between the server's word that the stream begins and its first message. */
  function begin({ continuity, identity }: PreparedStream): boolean {
    if (continuity.kind === 'gap') gaps.note(continuity.reason, GAP_WORDS[continuity.reason])
    const gap = gaps.settle()
    const start = {
      systemId: identity.systemId,
      timeline: identity.timeline,
      isFirst: gap !== null || continuity.kind === 'first',
      mayRecall: gap === null && continuity.kind === 'first' && options.lastChanges !== undefined,
      ...{ floorLsn: continuity.floorLsn, sharedLsn: continuity.sharedLsn },
      serverLsn: identity.flushedLsn,
    }
    relay?.begin({ ...start, continuity, gap }, session.relayFeed)
    options.onStreamStarted(start)
    phase = 'streaming'
    attempts.begin(reading())
    streamsStarted += 1
    released = null
    transition('streamStarted')
    if (isFlowing()) lastError = null
    logger.info('Streaming changes.', { slot: goal.slot, publication: goal.publication })
    return start.isFirst
  }

  function onStandby(error: RowcastError): void {
    if (state !== 'standby') logger.warn(error.message, { code: error.code })
    lastError = error
    transition('slotInUse')
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let delayMs = 0
      try {
        await streamOnce()
      } catch (error) {
        delayMs = onError(toStreamError(error, phase, target, goal))
      }
      if (stopping.signal.aborted) break
      transition('failed')
      await waitOrWake(delayMs)
      transition('retryDue')
    }
  }

  /** Waits between two attempts; `wake()` ends the wait early. */
  async function waitOrWake(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    wake = () => {}
  }

  /** An error of a running stream may be one of the form that was asked for; returns how long to wait. */
  function onError(error: RowcastError): number {
    if (phase !== 'streaming') return onFailure(error)
    return session.adapt(error) ? 0 : onFailure(session.explain(error))
  }

  /** Decides what to do about it; returns how long to wait. */
  function onFailure(failure: RowcastError): number {
    const error = failure.code === 'SOURCE_SLOT_MISSING' ? (released ?? failure) : failure
    const failures = attempts.fail(reading())
    const isNews = isNewsAt(failures, error, lastError)
    lastError = error
    if (stopping.signal.aborted) return 0
    if (isNews) logger[error.retry === 'never' ? 'error' : 'warn'](error.message, { code: error.code })
    else logger.debug(error.message, { code: error.code, failures })

    const news = gaps.announceIfPending()
    if (news !== null) relay?.tellGap(news)
    const hasStreamed = session.position.past !== null
    const remedy = error === failure ? remedyFor(error, slotLostPolicy, hasStreamed) : NO_REMEDY
    if (remedy.gap !== null) gaps.note(remedy.gap, GAP_WORDS[remedy.gap])
    isSlotToDrop ||= remedy.isSlotToDrop
    isSlotToCreate ||= remedy.isSlotToCreate
    if (error.code === 'SOURCE_SLOT_OVER_BUDGET') released = error
    // What ended a stream may be repaired already.
    const isRepairing = isSlotToDrop || isSlotToCreate || failures === 1
    const isPassing = error.code === 'SOURCE_SLOT_IN_USE' || error.code.startsWith('BROKER_')
    const delayMaxMs = isPassing ? PASSING_DELAY_MAX_MS : undefined
    return backoffDelayMs(failures, isRepairing ? 'backoff' : error.retry, options.random(), { delayMaxMs })
  }

  return {
    async enable() {
      const steps = await setUp(options.target)
      // Whatever the worker was waiting for may be repaired now.
      released = null
      isSlotToDrop = false
      wake()
      if (steps.length > 0) session.look()
      return steps
    },
    start() {
      if (state !== 'idle') return
      transition('start')
      loop = run()
    },
    async stop() {
      stopping.abort()
      transition('stop')
      wake()
      await connection?.close()
      // Nothing more comes for it: whatever of it the loop waits for ends, too.
      await relay?.close()
      await loop
    },
    status() {
      const { position } = session
      const positions = position.describe()
      const { confirmedLsn } = positions
      const { slot, publication } = goal
      return {
        ...{ state, slot, publication, streamsStarted, confirmedLsn, positions },
        failures: isFlowing() ? 0 : attempts.failures(reading()),
        stalledMs: session.stalledMs,
        lastError:
          (isFlowing() ? null : lastError) ??
          (isStalled() ? stalled(goal, session.stalledMs) : null) ??
          session.watchHealth.fault,
        failedLooks: session.watchHealth.failures,
        isReady: isReady(),
        isCatchingUp: isCatchingUp(),
        system: position.system,
        slotHealth: session.slotHealth,
        identityFaults: session.identities.faults,
      }
    },
    whenState: (wanted) => waiters.when(() => state === wanted),
    whenReady: () => waiters.when(isReady),
  }
}
