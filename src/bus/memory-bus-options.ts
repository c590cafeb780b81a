/** Stage 6, bus. Bounds of the in-process bus, and what holds where nothing is said. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { Guard } from '../guard.ts'
import type { OlderLog, OverflowPolicy } from './bus.ts'
import type { BusObservers } from './bus-observer.ts'
import { heapBytesLeft, heldBytesMaxOf, logBytesMaxOf } from './heap-bounds.ts'
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
  /** What may wait in all queues together. @default an eighth of what the heap has left at the start, and at most 16 MiB */
  readonly heldBytesMax?: number | undefined
  /** @default 'end' */
  readonly overflow?: OverflowPolicy | undefined
  /**
   * What is kept for cursors, and at most a quarter of what the heap has left at the start; three eighths while somebody is reading it.
   * @default 24 MiB and 10 minutes by the machine's monotonic clock
   */
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

/** All of them, with the defaults of this process. Once: what its heap has left is less later, and what is kept is not. */
export function resolveBounds(
  options: MemoryBusOptions,
  monotonicMs: () => number,
): QueueBounds & { readonly log: RetainedLogOptions } {
  const bytesLeft = heapBytesLeft()
  return {
    ...resolveQueueBounds(options, bytesLeft),
    log: resolveLogBounds(options.log ?? {}, monotonicMs, bytesLeft),
  }
}

function resolveQueueBounds(options: MemoryBusOptions, bytesLeft: number): QueueBounds {
  const heldBytesMax = options.heldBytesMax ?? heldBytesMaxOf(bytesLeft)
  return {
    heldBytesMax,
    queueLengthMax: options.queueLengthMax ?? QUEUE_LENGTH_MAX,
    queueBytesMax: options.queueBytesMax ?? Math.min(QUEUE_BYTES_MAX, heldBytesMax / 4),
  }
}

/** The bounds of the log, with the defaults, and within what the heap has left. */
export function resolveLogBounds(
  log: Partial<RetainedLogOptions>,
  monotonicMs: () => number,
  bytesLeft: number,
): RetainedLogOptions {
  const { bytesMax = LOG_BYTES_MAX, bytesReadMax = bytesMax } = log
  const bounds = logBytesMaxOf(bytesLeft)
  return {
    bytesMax: Math.min(bytesMax, bounds.kept),
    bytesReadMax: Math.min(bytesReadMax, bounds.read),
    ageMaxMs: log.ageMaxMs ?? LOG_AGE_MAX_MS,
    monotonicMs: log.monotonicMs ?? monotonicMs,
  }
}
