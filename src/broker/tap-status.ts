/** Beside the bus, broker. What can be known of a tap from outside. */
import type { ReplicaStatus } from './replica-watch.ts'

/** A tap at a moment. */
export interface TapStatus {
  readonly isConnected: boolean
  /** Whether this process is the one that writes. */
  readonly isActive: boolean
  readonly epoch: string | null
  readonly lastEntry: string | null
  /** Bytes on the way to Redis. */
  readonly waitingBytes: number
  /** Entries written by this process. */
  readonly entryCount: number
  /** Redis' replicas; null where none are waited for. */
  readonly replicas: ReplicaStatus | null
}
