/**
 * Stage 6, bus. Those who read the log, whose turn it is, and which of them read together: whoever is at the same position. Pure.
 */
import type { ChangePosition } from '../changes/change.ts'
import type { RetainedLog } from './retained-log.ts'
import type { Subscriber } from './subscriber.ts'
import type { ReadingPosition } from './subscriber-phase.ts'

/** A subscriber with where it is. */
export interface Member {
  readonly subscriber: Subscriber
  readonly at: ReadingPosition
}

/** All before it has been read: the part's change at the offset comes next. */
export function moveTo({ at }: Member, sequence: number, offset: number, after: ChangePosition): void {
  at.sequence = sequence
  at.offset = offset
  at.after = after
}

/** Those that are at the least position of all who are to be served. */
function hindmost(members: Iterable<Member>, isServed: (member: Member) => boolean): readonly Member[] {
  let cohort: Member[] = []
  for (const member of members) {
    if (!isServed(member)) continue
    const [first] = cohort
    const order = first === undefined ? 0 : compareReading(member.at, first.at)
    if (order < 0) cohort = [member]
    else if (order === 0) cohort.push(member)
  }
  return cohort
}

/** Those at the position of whoever was served the longest ago. */
function longestUnserved(
  members: Iterable<Member>,
  isServed: (member: Member) => boolean,
): readonly Member[] {
  let cohort: Member[] = []
  let servedAtMs = Number.POSITIVE_INFINITY
  for (const member of members) {
    if (!isServed(member)) continue
    const [first] = cohort
    if (first !== undefined && compareReading(member.at, first.at) === 0) cohort.push(member)
    else if (member.at.servedAtMs < servedAtMs) cohort = [member]
    servedAtMs = Math.min(servedAtMs, member.at.servedAtMs)
  }
  return cohort
}

function compareReading(a: ReadingPosition, b: ReadingPosition): number {
  return a.sequence - b.sequence || a.offset - b.offset
}

/** Those who are served next, of those who are hungry; nobody: an empty list. */
export type Choice = (members: Iterable<Member>) => readonly Member[]

/** Whom a slice is for, and in which order. */
export interface Lane {
  readonly choose: typeof hindmost
  readonly isFor: (member: Member, log: RetainedLog) => boolean
}

/** Parts of the log that whoever keeps up may have left to read. */
const NEAR_PARTS = 256

/**
 * Whoever keeps up does not stand in line behind all who catch up with much: it has taken all it was given, waits for more, and has
 * only just fallen behind. It has a slice of its own in each turn: changes come in each turn, too.
 */
export const KEEPING_UP: Lane = {
  choose: hindmost,
  isFor: ({ subscriber, at }, log) => subscriber.queue.isAwaited && at.sequence >= log.end - NEAR_PARTS,
}

/**
 * Slices of the others are for each of these in turns. The hindmost catch up with the others, so that each change is
 * decoded once. And whoever has waited for the longest is served, wherever it stands: nobody waits for ever.
 */
export const CATCHING_UP: readonly Lane[] = [
  { choose: hindmost, isFor: () => true },
  { choose: longestUnserved, isFor: () => true },
]
