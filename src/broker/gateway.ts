/**
 * Beside the bus, broker. The gateway: reads the stream over a connection of its own that waits, and feeds the bus of
 * this process as the source would. Comes back after every failure and goes on where it was, as long as the stream holds
 * it; says so to its subscribers when it does not.
 */
import { failureFields } from '../describe-error.ts'
import { RowcastError } from '../errors.ts'
import { createGuard, type Guard } from '../guard.ts'
import { backoffDelayMs, type SourceState } from '../source/session/lifecycle.ts'
import { Waiters } from '../source/session/waiters.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { nameBrokerFault } from './broker-faults.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'
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
  return new StreamGateway(options)
}

/** Why nothing flows though the stream can be read; null: a tap was heard of lately. Pure. */
export function silenceOfTap(
  follower: Pick<EpochFollower, 'tapSilentMs' | 'epoch'>,
  slot: string,
): RowcastError | null {
  if (isTapHeard(follower)) return null
  const { epoch } = follower
  const happened = epoch !== null ? 'The tap has been silent.' : 'No tap has written to the stream yet.'
  return new RowcastError('BROKER_NO_TAP', happened, { details: { slot } })
}

function isTapHeard({ tapSilentMs }: Pick<EpochFollower, 'tapSilentMs'>): boolean {
  return tapSilentMs !== null && tapSilentMs < TAP_SILENCE_MAX_MS
}

class StreamGateway implements Gateway {
  readonly #options: GatewayOptions
  readonly #runtime: BrokerRuntime
  readonly #guard: Guard
  readonly #follower: EpochFollower
  readonly #waiters = new Waiters()
  readonly #stopping = new AbortController()
  #state: SourceState = 'idle'
  #connection: EntryLog | null = null
  #lastError: RowcastError | null = null
  #failures = 0
  #connects = 0
  #loop: Promise<void> = Promise.resolve()
  #isSystemKnown = false
  #systemReadAtMs = 0

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#runtime = options.runtime ?? systemRuntime
    this.#guard = createGuard(options.logger)
    this.#follower = new EpochFollower({
      ...options,
      blockMs: options.engine.followMs,
      onProgress: () => this.#onProgress(),
      isStale: () => this.#isSystemInDoubt(),
    })
  }

  get epoch(): Epoch | null {
    return this.#follower.epoch
  }

  get safeLsn(): bigint {
    return this.#follower.safeLsn
  }

  start(): void {
    if (this.#state !== 'idle') return
    this.#state = 'connecting'
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#state = 'stopped'
    this.#connection?.destroy()
    await this.#loop
  }

  whenReady(): Promise<void> {
    return this.#waiters.when(() => this.#isReady)
  }

  status(): GatewayStatus {
    const { epoch, position, lagBytes, tapSilentMs, safeLsn } = this.#follower
    const isRunning = this.#state !== 'idle' && this.#state !== 'stopped'
    return {
      ...{ state: this.#state, isReady: this.#isReady, isConnected: this.#connection?.isOpen ?? false },
      lastError: this.#lastError ?? (isRunning ? this.#tapSilence : null),
      ...{ failures: this.#failures, connects: this.#connects },
      epoch: epoch?.id ?? null,
      lastEntry: position === null ? null : formatEntryId(position),
      ...{ lagBytes, tapSilentMs },
      safeLsn: epoch === null ? null : toLsn(safeLsn),
      system: epoch === null ? null : { systemId: epoch.systemId, timeline: epoch.timeline },
    }
  }

  get #tapSilence(): RowcastError | null {
    return silenceOfTap(this.#follower, this.#options.slot)
  }

  get #isReady(): boolean {
    return this.#state === 'streaming' && this.#follower.isFollowing && isTapHeard(this.#follower)
  }

  /** A database that was known and cannot be asked now has not changed. */
  async #readSystem(): Promise<void> {
    const { store, readSystemId } = this.#options
    this.#systemReadAtMs = this.#runtime.monotonicMs()
    try {
      store.useSystem(await readSystemId(this.#stopping.signal))
      this.#isSystemKnown = true
    } catch (error) {
      if (!this.#isSystemKnown) throw error
    }
  }

  /** No tap writes to these keys: the address may lead to another cluster by now, which has others. */
  #isSystemInDoubt(): boolean {
    const isDue = this.#runtime.monotonicMs() - this.#systemReadAtMs >= SYSTEM_INTERVAL_MS
    return isDue && !isTapHeard(this.#follower)
  }

  #onProgress(): void {
    const { logger, slot } = this.#options
    if (this.#follower.isFollowing && this.#failures > 0) {
      this.#failures = 0
      this.#lastError = null
      logger.info('The gateway reads the stream again.', { slot })
    }
    this.#waiters.settle()
  }

  async #readOnce(): Promise<void> {
    const { signal } = this.#stopping
    await this.#readSystem()
    if (signal.aborted) return
    const { engine, slot } = this.#options
    const opened = await engine.open({ signal, name: `rowcast-gateway:${slot}` })
    this.#connection = opened
    try {
      if (signal.aborted) return
      this.#state = 'streaming'
      this.#connects += 1
      await this.#follower.follow(opened, signal)
    } finally {
      opened.destroy()
    }
  }

  /** Until `stop()`: a fault of our own between two connections is logged, and the next one is opened a moment later. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#live()
      } catch (error) {
        this.#guard.report('read the stream again', error)
        await this.#runtime.delay(DELAY_MAX_MS, signal)
      }
    }
  }

  /** One life of a connection, and the wait behind it. */
  async #live(): Promise<void> {
    const { signal } = this.#stopping
    const onFailure = (error: unknown) => nameBrokerFault(this.#guard, error)
    const failure = await this.#readOnce().then(() => null, onFailure)
    if (signal.aborted) return
    if (failure !== null) this.#onFailure(failure)
    this.#state = 'waiting'
    const delayMaxMs = DELAY_MAX_MS
    const failures = Math.max(1, this.#failures)
    await this.#runtime.delay(
      backoffDelayMs(failures, 'backoff', this.#runtime.random(), { delayMaxMs }),
      signal,
    )
  }

  #onFailure(error: RowcastError): void {
    this.#failures += 1
    if (error.code !== this.#lastError?.code) this.#options.logger.warn(error.message, failureFields(error))
    this.#lastError = error
  }
}
