/**
 * Stage 5, source. The background worker: connects, sets up, streams, confirms, and comes back after every
 * failure. It owns the replication connection and the lifecycle state, and nothing it does throws into the
 * application.
 */
import type { Buffer } from 'node:buffer'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import { createTransactionAssembler } from '../changes/assembler.ts'
import type { TransactionPart } from '../changes/change.ts'
import type { RowcastError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { decodeMessage } from '../pgoutput/decode.ts'
import {
  openReplicationConnection,
  type ReplicationConnection,
  type StreamHandler,
} from '../wire/connection.ts'
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { formatLsn, LSN_ZERO } from '../wire/lsn.ts'
import { AckTracker } from './ack-tracker.ts'
import { backoffDelayMs, SOURCE_TRANSITIONS, type SourceEvent, type SourceState } from './lifecycle.ts'
import { runSetup } from './setup.ts'
import type { SetupGoal, SetupStep } from './setup-plan.ts'
import { toRowcastError } from './sqlstate.ts'
import { toStreamError } from './stream-error.ts'

/** What a source needs. */
export interface ReplicationSourceOptions {
  readonly target: ConnectionTarget
  readonly goal: SetupGoal
  readonly registry: RelationRegistry
  /** Takes each part in commit order, synchronously. */
  readonly publish: (part: TransactionPart) => void
  /** A model's table and the Prisma schema disagree: its changes cannot be read. */
  readonly onDrift: (model: string, drift: RowcastError) => void
  readonly logger: Logger
  /** Run `enable()` on each connection attempt before streaming. */
  readonly isEnabledOnConnect: boolean
  /** Ask PostgreSQL for values in binary form. */
  readonly isBinary: boolean
  readonly applicationName: string
  readonly connectTimeoutMs: number
  /** Random number in [0, 1) for the jitter of the waits. */
  readonly random: () => number
}

/** What can be known of the source at a moment. */
export interface SourceStatus {
  readonly state: SourceState
  readonly slot: string
  readonly publication: string
  /** The latest failure; kept while it matters, null again once changes flow. */
  readonly lastError: RowcastError | null
  /** Attempts that failed since changes last flowed. */
  readonly failures: number
  /** Highest position confirmed to PostgreSQL, as `16/B374D848`; null before the first. */
  readonly confirmedLsn: string | null
}

/** The worker. */
export interface ReplicationSource {
  /** Returns at once; everything else happens in the background. Starting twice is starting once. */
  start(): void
  /** Ends the worker: confirms what was published and closes the connection. */
  stop(): Promise<void>
  /** Sets publication, replica identities and slot up now. */
  enable(): Promise<readonly SetupStep[]>
  status(): SourceStatus
  /** Resolves when the state is the given one; for health checks and tests. */
  whenState(state: SourceState): Promise<void>
}

/** Creates the worker; it does nothing until `start()`. */
export function createReplicationSource(options: ReplicationSourceOptions): ReplicationSource {
  const { target, goal, registry, logger } = options
  const ack = new AckTracker()
  const assembler = createTransactionAssembler(registry, {
    publish: options.publish,
    onDrift(model, drift) {
      logger.error(drift.message, { code: drift.code, model })
      options.onDrift(model, drift)
    },
    onBegin: () => ack.begin(),
    onCommit(endLsn) {
      ack.commit(endLsn)
      ack.accept(endLsn)
    },
  })
  const stateWaiters = new Map<() => void, SourceState>()
  let state: SourceState = 'idle'
  let lastError: RowcastError | null = null
  let failures = 0
  let loop: Promise<void> = Promise.resolve()
  let connection: ReplicationConnection | null = null
  let isStopping = false
  let wake = () => {}

  function transition(event: SourceEvent): void {
    state = SOURCE_TRANSITIONS[state][event]
    for (const [resolve, wanted] of stateWaiters) {
      if (wanted !== state) continue
      stateWaiters.delete(resolve)
      resolve()
    }
  }

  async function enable(): Promise<readonly SetupStep[]> {
    try {
      const steps = await runSetup(target, goal)
      for (const step of steps) logger.info(`Set up: ${step.sql}`, { why: step.why })
      // Whatever the worker was waiting for may be mended now.
      wake()
      return steps
    } catch (error) {
      throw toRowcastError(error, target)
    }
  }

  /** One life of a connection; returns or throws when it is over. */
  async function streamOnce(): Promise<void> {
    if (options.isEnabledOnConnect) await enable()
    connection = await openReplicationConnection(target, {
      applicationName: options.applicationName,
      connectTimeoutMs: options.connectTimeoutMs,
    })
    try {
      if (isStopping) return
      assembler.reset()
      ack.disconnect()
      registry.clear()
      await connection.startStream(
        {
          slot: goal.slot,
          startLsn: ack.confirmed,
          options: pluginOptions(goal.publication, options.isBinary),
        },
        streamHandler,
      )
      failures = 0
      lastError = null
      transition('streamStarted')
      logger.info('Streaming changes.', { slot: goal.slot, publication: goal.publication })
      const reason = await connection.closed
      if (reason !== null) throw reason
    } finally {
      await connection.close()
      connection = null
    }
  }

  const streamHandler: StreamHandler = {
    onWalData(bytes: Buffer, start: number, end: number) {
      assembler.take(decodeMessage(bytes, start, end), end - start)
    },
    onKeepalive: (walEnd) => ack.keepalive(walEnd),
    onNotice(notice) {
      logger.warn(`PostgreSQL says: ${notice.message}`, { sqlstate: notice.code })
    },
    confirmedLsn: () => ack.confirmed,
  }

  async function run(): Promise<void> {
    while (!isStopping) {
      try {
        await streamOnce()
      } catch (error) {
        onFailure(toStreamError(error, state === 'streaming' ? 'streaming' : 'starting', target, goal))
      }
      if (isStopping) break
      transition('failed')
      const delayMs = backoffDelayMs(Math.max(1, failures), lastError?.retry ?? 'backoff', options.random())
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

  function onFailure(error: RowcastError): void {
    failures += 1
    const isNews = lastError?.code !== error.code
    lastError = error
    if (isStopping) return
    if (isNews) logger[error.retry === 'never' ? 'error' : 'warn'](error.message, { code: error.code })
    else logger.debug(error.message, { code: error.code, failures })
  }

  return {
    enable,
    start() {
      if (state !== 'idle') return
      transition('start')
      loop = run()
    },
    async stop() {
      isStopping = true
      transition('stop')
      wake()
      await connection?.close()
      await loop
    },
    status: () => ({
      state,
      slot: goal.slot,
      publication: goal.publication,
      lastError,
      failures,
      confirmedLsn: ack.confirmed === LSN_ZERO ? null : formatLsn(ack.confirmed),
    }),
    whenState(wanted) {
      if (state === wanted) return Promise.resolve()
      return new Promise((resolve) => stateWaiters.set(resolve, wanted))
    },
  }
}

/** pgoutput's options. Source: manual, "Logical Streaming Replication Parameters". */
function pluginOptions(publication: string, isBinary: boolean): Readonly<Record<string, string>> {
  const options: Record<string, string> = {
    proto_version: '1',
    publication_names: `"${publication.replaceAll('"', '""')}"`,
  }
  if (isBinary) options['binary'] = 'true'
  return options
}
