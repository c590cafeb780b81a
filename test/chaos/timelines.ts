/**
 * Positions of two timelines in one order. After a failover the new primary goes on where it left the history that both share,
 * and the old one may go on as well: the same LSNs mean other things. What the new one wrote is counted from far behind.
 */
import { formatCursor, parseCursor } from '../../src/changes/cursor.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'

/** Beyond all that a run writes. */
const BEYOND = 1n << 48n

/** The history of one run. */
export class Timelines {
  #fork: { readonly timeline: number; readonly lsn: Lsn } | null = null

  /** The timeline begins: up to `lsn` it is that of the server before. */
  fork(timeline: number, lsn: Lsn): void {
    this.#fork = { timeline, lsn }
  }

  /** Where a position of the present primary stands. */
  place(lsn: Lsn): Lsn {
    return this.#fork === null || lsn <= this.#fork.lsn ? lsn : toLsn(lsn + BEYOND)
  }

  /** A cursor with its position in that order, whichever of the timelines that share it it names. */
  straighten(text: string): string {
    const { origin, position } = parseCursor(text)
    const isNew = origin.timeline === this.#fork?.timeline
    const lsn = isNew ? this.place(position.commitLsn) : position.commitLsn
    return formatCursor({ ...origin, timeline: 1 }, lsn, position.index)
  }
}
