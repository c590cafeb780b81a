/**
 * Stage 5, source. Decides whether a stream can go on where the last one ended. Pure.
 *
 * PostgreSQL starts at whatever position it is asked for, and skips what lies before it without a word: that a
 * server is another one, was restored, or was promoted behind our back has to be noticed here.
 */
import { type Lsn, parseLsn } from '../../wire/lsn.ts'

/**
 * Why changes may be missing. `timeline-diverged`: the server that took over lacks what was delivered.
 * `server-behind`: it was restored from a backup. `slot-recreated`: the slot stands beyond our position.
 * `delivery-failed`: a fault of rowcast's own, while it handed changes on. `transaction-skipped`: somebody gave it up.
 */
export type GapReason =
  | 'other-cluster'
  | 'timeline-diverged'
  | 'timeline-unknown'
  | 'server-behind'
  | 'slot-recreated'
  | 'slot-lost'
  | 'slot-dropped'
  | 'slot-over-budget'
  | 'publication-dropped'
  | 'table-unpublished'
  | 'publication-changed'
  | 'delivery-failed'
  | 'transaction-skipped'

/** Where the last stream of this process ended. */
export interface StreamPast {
  readonly systemId: string
  readonly timeline: number
  /** Everything before it was delivered. */
  readonly safeLsn: Lsn
  /** Where the commit record begins of the last transaction of which anything was delivered. */
  readonly deliveredLsn: Lsn
  /** Handing on failed half-way: some subscriptions have got a change, and others have not. */
  readonly isTorn?: boolean | undefined
}

/** One line of a timeline's history: `timeline` ends, and the next one begins, at `endLsn`. */
export interface TimelineSwitch {
  readonly timeline: number
  readonly endLsn: Lsn
}

/** The server that a new connection found. */
export interface StreamPresent {
  readonly systemId: string
  readonly timeline: number
  readonly flushedLsn: Lsn
  /** What the slot has confirmed: it sends nothing from before. */
  readonly slotConfirmedLsn: Lsn
  /** The ancestors of the server's timeline; asked for only when the timeline is not the one we know. */
  readonly history: readonly TimelineSwitch[]
}

/** How the stream begins: `floorLsn` is where. */
export type Continuity =
  | { readonly kind: 'first'; readonly floorLsn: Lsn; readonly sharedLsn?: undefined }
  | {
      readonly kind: 'continuous'
      readonly floorLsn: Lsn
      /** On a new timeline: up to here it is the same as the one before. */
      readonly sharedLsn?: Lsn | undefined
    }
  | {
      readonly kind: 'gap'
      readonly floorLsn: Lsn
      readonly reason: GapReason
      readonly sharedLsn?: undefined
    }

/** Compares past and present. */
export function judgeContinuity(past: StreamPast | null, present: StreamPresent): Continuity {
  const slotFloor = present.slotConfirmedLsn
  if (past === null) return { kind: 'first', floorLsn: slotFloor }
  const gap = (reason: GapReason): Continuity => ({ kind: 'gap', floorLsn: slotFloor, reason })
  if (present.systemId !== past.systemId) return gap('other-cluster')
  if (past.isTorn === true) return gap('delivery-failed')
  let floorLsn = past.safeLsn
  let sharedLsn: Lsn | undefined
  if (present.timeline !== past.timeline) {
    const end = present.history.find((entry) => entry.timeline === past.timeline)?.endLsn
    if (end === undefined) return gap('timeline-unknown')
    // We delivered what the server that took over never got: at the least the commit record itself.
    if (past.deliveredLsn >= end) return gap('timeline-diverged')
    // What lies between a promotion and our position held nothing for us on the old timeline, and is new now.
    if (end < floorLsn) floorLsn = end
    sharedLsn = end
  }
  // What was delivered had been flushed: a server that has not come as far is not the one that sent it.
  const isBehind = present.flushedLsn < floorLsn || present.flushedLsn <= past.deliveredLsn
  if (isBehind) return gap('server-behind')
  if (slotFloor > floorLsn) return gap('slot-recreated')
  return { kind: 'continuous', floorLsn, sharedLsn }
}

/**
 * Whether the stream begins before what this process has read, `reachedLsn`, and brings that again: the slot stands behind, and whoever
 * had the rest has lost it, or is to have it no more. What this process knows of tables is then from behind what comes, or of another database.
 */
export function isRewound(continuity: Continuity, reachedLsn: Lsn): boolean {
  if (continuity.kind === 'continuous') return false
  const isOfAnother = continuity.kind === 'gap' && continuity.reason === 'other-cluster'
  return isOfAnother || continuity.floorLsn < reachedLsn
}

/** Parses a timeline history file: lines of timeline, LSN of its end, and a reason in words. */
export function parseTimelineHistory(content: string): readonly TimelineSwitch[] {
  return content.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line)
    return match === null ? [] : [{ timeline: Number(match[1]), endLsn: parseLsn(match[2] ?? '') }]
  })
}
