/** Stage 6, bus. How far those are who read the log: it keeps what they are still to read, and the source may wait for them. Pure. */
import type { Member } from './reading-cohort.ts'
import type { RetainedLog } from './retained-log.ts'

/** Who takes nothing for so long has what it has not read trimmed away like everybody else. */
export const READING_MS = 10_000

/** Sequence number of the oldest part that somebody who takes what it is given is still to read. `isAwaited`: without those who are left behind. */
export function oldestReadOf(members: Iterable<Member>, nowMs: number, isAwaited = false): number {
  let oldest = Number.POSITIVE_INFINITY
  for (const { at } of members) {
    if (at.servedAtMs >= nowMs - READING_MS && !(isAwaited && at.isLeft))
      oldest = Math.min(oldest, at.sequence)
  }
  return oldest
}

/** Notes where each is. */
export function beginRoundOf(members: Iterable<Member>): void {
  for (const { at } of members) at.roundFrom = at.sequence
}

/** Leaves those behind that have read less since then. */
export function leaveSlowOf(members: Iterable<Member>, log: RetainedLog, bytesMin: number): void {
  for (const { at } of members) {
    if (at.roundFrom !== null && bytesBetween(log, at.roundFrom, at.sequence) < bytesMin) at.isLeft = true
  }
}

/** Bytes of the parts from one to another. */
export function bytesBetween(log: RetainedLog, from: number, to: number): number {
  let bytes = 0
  for (let sequence = from; sequence < to; sequence += 1) bytes += log.read(sequence)?.bytes ?? 0
  return bytes
}
