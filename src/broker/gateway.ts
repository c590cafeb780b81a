/**
 * Beside the bus, broker. The gateway: reads the stream over a connection of its own that waits, and feeds the bus of
 * this process as the source would. Comes back after every failure and goes on where it was, as long as the stream holds
 * it; says so to its subscribers when it does not.
 */
import { RowcastError } from '../errors.ts'
import { backoffDelayMs, type SourceState } from '../source/session/lifecycle.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { toBrokerError } from './broker-faults.ts'
import { systemRuntime } from './broker-runtime.ts'
import { formatEntryId } from './entry-id.ts'
import type { BrokerEngine, EntryLog } from './entry-log.ts'
import type { Epoch } from './epoch.ts'
import { EpochFollower, type EpochFollowerOptions } from './epoch-follower.ts'

/** What a gateway needs. */
export interface GatewayOptions extends Omit<EpochFollowerOptions, 'onProgress' | 'isStale' | 'blockMs'> {
  readonly engine: BrokerEngine
  readonly slot: string
  /** Identifier of the database cluster; rejects while it cannot be asked, and when the signal aborts. */
  readonly readSystemId: (signal: AbortSignal) => Promise<string>
}

/** What can be known of it at a moment. */
export interface GatewayStatus {
  readonly state: SourceState
  readonly isReady: boolean
  readonly isConnected: boolean
  readonly lastError: RowcastError | null
  readonly failures: number
  /** Connections that have begun to read. */
  readonly connects: number
  readonly epoch: string | null
  readonly lastEntry: string | null
  /** WAL bytes between what was read and what a tap has written. */
  readonly lagBytes: number
  readonly safeLsn: Lsn | null
  /** Since a tap was heard of; null: none was. */
  readonly tapSilentMs: number | null
  readonly system: { readonly systemId: string; readonly timeline: number } | null
}

/** A gateway. */
export interface Gateway {
  /** The epoch that is read; null before the first. */
  readonly epoch: Epoch | null
  /** Everything before it is in the stream, as far as a tap has said. */
  readonly safeLsn: bigint
  start(): void
  stop(): Promise<void>
  whenReady(): Promise<void>
  status(): GatewayStatus
}

/** How long a tap may be silent before this process says that nothing flows. */
const TAP_SILENCE_MAX_MS = 15_000
/** While no tap is heard, how often the database is asked whether it is still the same. */
const SYSTEM_INTERVAL_MS = 10_000
/** Longest wait between two attempts: Redis may be back at any moment. */
const DELAY_MAX_MS = 1_000

/** Creates one; it does nothing until `start()`. */
export function createGateway(options: GatewayOptions): Gateway {
  const { logger, runtime = systemRuntime } = options
  const follower = new EpochFollower({
    ...options,
    blockMs: options.engine.followMs,
    onProgress: settle,
    isStale: isSystemInDoubt,
  })
  const waiters = new Set<() => void>()
  const stopping = new AbortController()
  let state: SourceState = 'idle'
  let connection: EntryLog | null = null
  let lastError: RowcastError | null = null
  let failures = 0
  let connects = 0
  let loop: Promise<void> = Promise.resolve()
  let isSystemKnown = false
  let systemReadAtMs = 0

  /** A database that was known and cannot be asked now has not changed. */
  async function readSystem(): Promise<void> {
    systemReadAtMs = runtime.monotonicMs()
    try {
      options.store.useSystem(await options.readSystemId(stopping.signal))
      isSystemKnown = true
    } catch (error) {
      if (!isSystemKnown) throw error
    }
  }

  /** No tap writes to these keys: the address may lead to another cluster by now, which has others. */
  function isSystemInDoubt(): boolean {
    return tapSilence() !== null && runtime.monotonicMs() - systemReadAtMs >= SYSTEM_INTERVAL_MS
  }

  function settle(): void {
    if (follower.isFollowing && failures > 0) {
      failures = 0
      lastError = null
      logger.info('The gateway reads the stream again.', { slot: options.slot })
    }
    if (!isReady()) return
    for (const resolve of waiters) resolve()
    waiters.clear()
  }

  function tapSilence(): RowcastError | null {
    const { tapSilentMs, epoch } = follower
    if (tapSilentMs !== null && tapSilentMs < TAP_SILENCE_MAX_MS) return null
    const happened = epoch !== null ? 'The tap has been silent.' : 'No tap has written to the stream yet.'
    return new RowcastError('BROKER_NO_TAP', happened, { details: { slot: options.slot } })
  }

  function isReady(): boolean {
    return state === 'streaming' && follower.isFollowing && tapSilence() === null
  }

  async function readOnce(): Promise<void> {
    await readSystem()
    if (stopping.signal.aborted) return
    const { engine, slot } = options
    const opened = await engine.open({ signal: stopping.signal, name: `rowcast-gateway:${slot}` })
    connection = opened
    try {
      if (stopping.signal.aborted) return
      state = 'streaming'
      connects += 1
      await follower.follow(opened, stopping.signal)
    } finally {
      opened.destroy()
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let error: RowcastError | null = null
      try {
        await readOnce()
      } catch (thrown) {
        error = toBrokerError(thrown)
      }
      if (stopping.signal.aborted) return
      if (error !== null) {
        failures += 1
        if (error.code !== lastError?.code) logger.warn(error.message, { code: error.code })
        lastError = error
      }
      state = 'waiting'
      const waitMs = backoffDelayMs(Math.max(1, failures), 'backoff', runtime.random(), {
        delayMaxMs: DELAY_MAX_MS,
      })
      await runtime.delay(waitMs, stopping.signal)
    }
  }

  return {
    get epoch() {
      return follower.epoch
    },
    get safeLsn() {
      return follower.safeLsn
    },
    start() {
      if (state !== 'idle') return
      state = 'connecting'
      loop = run()
    },
    async stop() {
      stopping.abort()
      state = 'stopped'
      connection?.destroy()
      await loop
    },
    whenReady: () =>
      new Promise((resolve) => {
        waiters.add(resolve)
        settle()
      }),
    status: () => ({
      state,
      isReady: isReady(),
      isConnected: connection?.isOpen ?? false,
      lastError: lastError ?? (state === 'idle' || state === 'stopped' ? null : tapSilence()),
      failures,
      connects,
      epoch: follower.epoch?.id ?? null,
      lastEntry: follower.position === null ? null : formatEntryId(follower.position),
      lagBytes: follower.lagBytes,
      tapSilentMs: follower.tapSilentMs,
      safeLsn: follower.epoch === null ? null : toLsn(follower.safeLsn),
      system: systemOf(follower.epoch),
    }),
  }
}

function systemOf(epoch: Epoch | null): GatewayStatus['system'] {
  return epoch === null ? null : { systemId: epoch.systemId, timeline: epoch.timeline }
}
