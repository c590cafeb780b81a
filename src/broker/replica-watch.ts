/**
 * Beside the bus, broker. Whether Redis' replicas have what Redis has accepted: PostgreSQL may forget nothing before. Asked
 * over a connection of its own, because waiting holds up whatever else is sent over its connection; writing goes on meanwhile.
 */
import type { BrokerRuntime } from './broker-runtime.ts'
import type { BrokerEngine } from './entry-log.ts'
import { SingleConnection } from './single-connection.ts'

/** What a watch needs. */
export interface ReplicaWatchOptions {
  /** Replicas that must have it. */
  readonly wanted: number
  readonly engine: BrokerEngine
  /** What the engine lists it as. */
  readonly name: string
  /** A text to write. */
  readonly probeKey: string
  readonly runtime: BrokerRuntime
  /** What `onKept` threw. */
  readonly onFailure: (error: unknown) => void
}

/** How many replicas follow, at a moment. */
export interface ReplicaStatus {
  readonly wanted: number
  /** That had everything at the last look; null before the first. */
  readonly reached: number | null
  /** Since too few have what was accepted, in milliseconds; 0: enough have it. */
  readonly behindMs: number
}

const RETRY_INTERVAL_MS = 500

/** The watch of one tap. */
export class ReplicaWatch {
  readonly #options: ReplicaWatchOptions
  readonly #connection: SingleConnection
  /** Called once the replicas have what was accepted before; the newest stands for those before it. */
  #onKept: (() => void) | null = null
  /** How often all was forgotten: an answer that was asked for before then is nobody's. */
  #forgotten = 0
  #isAsking = false
  #hasEnded = false
  #reached: number | null = null
  #behindSinceMs: number | null = null

  constructor(options: ReplicaWatchOptions) {
    this.#options = options
    const { engine, name } = options
    this.#connection = new SingleConnection({ engine, name })
  }

  get status(): ReplicaStatus {
    const { wanted, runtime } = this.#options
    const behindMs = this.#behindSinceMs === null ? 0 : runtime.monotonicMs() - this.#behindSinceMs
    return { wanted, reached: this.#reached, behindMs }
  }

  /** Redis has accepted something; `onKept` is called when enough replicas have it, unless something later is kept with it. */
  accepted(onKept: () => void): void {
    this.#onKept = onKept
    const { onFailure } = this.#options
    if (!this.#isAsking && !this.#hasEnded) this.#ask().catch((error: unknown) => onFailure(error))
  }

  /** What was accepted and is not kept yet is no longer waited for. */
  forget(): void {
    this.#onKept = null
    this.#forgotten += 1
  }

  close(): void {
    this.#hasEnded = true
    this.forget()
    this.#connection.close()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    try {
      while (this.#onKept !== null && !this.#hasEnded) await this.#askOnce(this.#onKept)
    } finally {
      this.#isAsking = false
    }
  }

  async #askOnce(onKept: () => void): Promise<void> {
    const forgotten = this.#forgotten
    const isKept = await this.#look().catch(() =>
      this.#options.runtime.delay(RETRY_INTERVAL_MS).then(() => false),
    )
    if (!isKept) {
      this.#behindSinceMs ??= this.#options.runtime.monotonicMs()
      return
    }
    this.#behindSinceMs = null
    // The stream that it was accepted for may be over, and another one may wait already: that one asks again.
    if (this.#forgotten !== forgotten) return
    if (this.#onKept === onKept) this.#onKept = null
    onKept()
  }

  async #look(): Promise<boolean> {
    const { wanted, probeKey } = this.#options
    const log = await this.#connection.open()
    this.#reached = await log.countReplicas(probeKey, wanted)
    return this.#reached >= wanted
  }
}

/** Null where no replica is waited for. */
export function createReplicaWatch(
  slot: string,
  own: Omit<ReplicaWatchOptions, 'name'>,
): ReplicaWatch | null {
  if (own.wanted === 0) return null
  return new ReplicaWatch({ ...own, name: `rowcast-tap-wait:${slot}` })
}
