/** Stage 6, bus. Bounds of the in-process bus, and what holds where nothing is said. */
import { getHeapStatistics } from 'node:v8'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { Guard } from '../guard.ts'
import type { OlderLog, OverflowPolicy } from './bus.ts'
import type { BusObservers } from './bus-observer.ts'
import { heldBytesMaxOf } from './holdings.ts'
import type { RetainedLogOptions } from './retained-log.ts'
import type { SliceTimers } from './time-slices.ts'

/** Bounds of a bus. */
export interface MemoryBusOptions {
  /**
   * Changes one subscription may leave waiting before what follows is left in the log, or conflated.
   * @default 65_536
   */
  readonly queueLengthMax?: number | undefined
  /** What they may take, likewise; decoded, by estimate. @default 4 MiB, and at most a quarter of `heldBytesMax` */
  readonly queueBytesMax?: number | undefined
  /** What may wait in all queues together. @default a sixteenth of the heap's limit, and at most 16 MiB */
  readonly heldBytesMax?: number | undefined
  /** @default 'end' */
  readonly overflow?: OverflowPolicy | undefined
  /** What is kept for cursors. @default 24 MiB and 10 minutes by the machine's monotonic clock */
  readonly log?: Partial<RetainedLogOptions> | undefined
  /** Where older changes are, and those that are on their way here. @default nowhere */
  readonly older?: OlderLog | undefined
  /** Models by name, for filters. @default none: subscriptions cannot have filters */
  readonly models?: Readonly<Record<string, ModelSpec>> | undefined
  /** Who watches it. @default nobody */
  readonly observers?: BusObservers | undefined
  /** @default Node.js' own */
  readonly timers?: SliceTimers | undefined
  /** Of what nobody else could catch. @default it logs nowhere */
  readonly guard?: Guard | undefined
}

/** Bounds of what waits in queues. */
export interface QueueBounds {
  readonly queueLengthMax: number
  readonly queueBytesMax: number
  readonly heldBytesMax: number
}

const QUEUE_LENGTH_MAX = 65_536
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
const LOG_BYTES_MAX = 24 * 1024 * 1024
const LOG_AGE_MAX_MS = 600_000

/** The bounds of queues, with the defaults of this process. */
export function resolveBounds(options: MemoryBusOptions): QueueBounds {
  const heldBytesMax = options.heldBytesMax ?? heldBytesMaxOf(getHeapStatistics().heap_size_limit)
  return {
    heldBytesMax,
    queueLengthMax: options.queueLengthMax ?? QUEUE_LENGTH_MAX,
    queueBytesMax: options.queueBytesMax ?? Math.min(QUEUE_BYTES_MAX, heldBytesMax / 4),
  }
}

/** The bounds of the log, with the defaults. */
export function resolveLogBounds(
  log: Partial<RetainedLogOptions>,
  monotonicMs: () => number,
): RetainedLogOptions {
  return {
    bytesMax: log.bytesMax ?? LOG_BYTES_MAX,
    bytesReadMax: log.bytesReadMax,
    ageMaxMs: log.ageMaxMs ?? LOG_AGE_MAX_MS,
    monotonicMs: log.monotonicMs ?? monotonicMs,
  }
}
