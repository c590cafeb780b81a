/** Stage 5, source. Whether changes flow, whether all of them do, and which error says why not. Pure. */
import type { RowcastError } from '../../errors.ts'
import type { SourceState } from './lifecycle.ts'

/** What it is decided by. */
export interface ReadinessReading {
  readonly state: SourceState
  /** The latest failure of an attempt. */
  readonly lastError: RowcastError | null
  /** The stream still stands before a transaction that could not be sent. */
  readonly isBlocked: boolean
  /** Streams die as soon as they begin, and this one has not shown yet that it does not. */
  readonly isInDoubt: boolean
  /** Something that was there at the start is still to come. */
  readonly isCatchingUp: boolean
  /** WAL has been waiting for too long: SOURCE_STALLED; null while it has not. */
  readonly stall: RowcastError | null
  /** The watch sees nothing: SOURCE_WATCH_FAILED; null while it does. */
  readonly watchFault: RowcastError | null
}

/** Whether changes come. */
export function isFlowing({ state, isBlocked, isInDoubt }: ReadinessReading): boolean {
  return state === 'streaming' && !isBlocked && !isInDoubt
}

/** Whether they come, all that were there at the start have, and nothing is amiss. */
export function isReady(reading: ReadinessReading): boolean {
  return isFlowing(reading) && !reading.isCatchingUp && reading.stall === null && reading.watchFault === null
}

/** What to show: the latest failure matters until changes flow. */
export function errorOf(reading: ReadinessReading): RowcastError | null {
  return (isFlowing(reading) ? null : reading.lastError) ?? reading.stall ?? reading.watchFault
}
