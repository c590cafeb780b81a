/** Stage 6, bus. Those who read the log, and which of them read together: whoever is at the same position. Pure. */
import type { ReadingPosition, Subscriber } from './subscriber.ts'

/** A subscriber with where it is. */
export interface Member {
  readonly subscriber: Subscriber
  readonly at: ReadingPosition
}

/** Those that are at the least position of all who are to be served. */
export function hindmost(
  members: Iterable<Member>,
  isServed: (member: Member) => boolean,
): readonly Member[] {
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

function compareReading(a: ReadingPosition, b: ReadingPosition): number {
  return a.sequence - b.sequence || a.offset - b.offset
}
