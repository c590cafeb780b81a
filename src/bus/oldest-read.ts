/** Stage 6, bus. How far those are who read the log: it keeps what they are still to read, and the source may wait for them. Pure. */
import type { ReadShare } from '../source/session/reader-wait.ts'
import type { Member } from './reading-cohort.ts'
import type { RetainedLog } from './retained-log.ts'
import { COSTLY_STEPS, type Subscriber } from './subscriber.ts'

/** Who takes nothing for so long has what it has not read trimmed away like everybody else. */
export const READING_MS = 10_000

/** Whose consumer has taken something of what waits for it since then reads, though nothing may have been read for it meanwhile. */
const TAKING_MS = 2_000

function isReading({ subscriber: { queue }, at }: Member, nowMs: number): boolean {
  return at.servedAtMs >= nowMs - READING_MS || (queue.length > 0 && queue.stalledMs < TAKING_MS)
}

/**
 * Sequence number of the oldest part that somebody who takes what it is given is still to read. `awaitedFrom`: of those alone that are waited
 * for, and have not been left behind that part already: nothing that comes makes them lose more.
 */
export function oldestReadOf(members: Iterable<Member>, nowMs: number, awaitedFrom?: number): number {
  let oldest = Number.POSITIVE_INFINITY
  for (const member of members) {
    if (awaitedFrom !== undefined && (member.at.isLeft || member.at.sequence < awaitedFrom)) continue
    if (isReading(member, nowMs)) oldest = Math.min(oldest, member.at.sequence)
  }
  return oldest
}

/** Notes where each is, and what waits for it. */
export function beginRoundOf(members: Iterable<Member>): void {
  for (const { subscriber, at } of members) {
    at.round = { from: at.sequence, waiting: subscriber.queue.length }
  }
}

/**
 * Leaves those behind that have read, or taken of what waited for them, less since then. Who has taken all that it was given and has room waits for
 * this process, and has not been slow: where hundreds read, each is given little. That a costly filter takes long is its client's doing.
 */
export function leaveSlowOf(members: Iterable<Member>, log: RetainedLog, min: ReadShare): void {
  for (const { subscriber, at } of members) {
    if (at.round === null || isWaitingForUs(subscriber)) continue
    const { bytes, changes } = shareBetween(log, at.round.from, at.sequence)
    const taken = changes + at.round.waiting - subscriber.queue.length
    if (bytes < min.bytes && taken < min.changes) at.isLeft = true
  }
}

function isWaitingForUs({ queue, judgingSteps }: Subscriber): boolean {
  return queue.isAwaited && queue.hasRoom && judgingSteps < COSTLY_STEPS
}

/** What the parts from one to another hold. */
export function shareBetween(log: RetainedLog, from: number, to: number): ReadShare {
  let [bytes, changes] = [0, 0]
  for (let sequence = from; sequence < to; sequence += 1) {
    const entry = log.read(sequence)
    bytes += entry?.bytes ?? 0
    changes += entry?.part.changes.length ?? 0
  }
  return { bytes, changes }
}
