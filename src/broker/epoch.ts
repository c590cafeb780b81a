/**
 * Beside the bus, broker. An epoch is a stretch of the stream without a gap, on one timeline of one database. Another
 * database, another timeline, a slot recreated or a broker that has forgotten begin the next one, in keys of its own:
 * nothing is ever mixed. Pure.
 */
import { INDEX_AFTER_ALL } from '../changes/cursor.ts'
import { hasMembers } from '../member-of.ts'
import type { RelayStart } from '../source/watch/session-relay.ts'
import type { StreamStart } from '../source/watch/session-start.ts'
import { type Lsn, laterLsn, toLsn } from '../wire/lsn.ts'
import {
  compareEntryIds,
  type EntryId,
  formatEntryId,
  laterEntryId,
  readEntryId,
  readLsn,
} from './entry-id.ts'
import { openDocument, sealDocument } from './sealed-document.ts'

/**
 * How an epoch follows on the one before it. `continuous`: another timeline, nothing lost.
 * `refilled`: the broker had lost the newest; whoever had come as far as the floor has missed nothing. `gap`: changes
 * are missing for everybody.
 */
export type EpochKind = 'continuous' | 'refilled' | 'gap'

/** One epoch. */
export interface Epoch {
  readonly id: string
  readonly systemId: string
  readonly timeline: number
  readonly kind: EpochKind
  /** Everything after it is in this epoch. */
  readonly floor: EntryId
  /** WAL position of the server when it began. */
  readonly serverLsn: Lsn
  /** The epoch before, and its last entry; null where that is not known. */
  readonly previous: { readonly id: string; readonly end: EntryId } | null
  /** What RESYNC_REQUIRED says to those who missed something; null where the broker is what forgot. */
  readonly reason: string | null
  /** False for one that only reports a gap: the stream has not begun again yet. */
  readonly isOpen: boolean
}

/** What a tap knows of the broker when its stream begins. */
export interface FoundEpoch {
  readonly epoch: Epoch
  readonly last: EntryId
  /** False where nothing of ours can follow on the last entry. */
  readonly isWritable: boolean
}

/** What a tap remembers of what it published itself. */
export interface Published {
  readonly epochId: string
  readonly systemId: string
  readonly timeline: number
  readonly last: EntryId
  /** Everything before it was accepted. */
  readonly safeLsn: Lsn
}

/** Formats as it is kept in the broker at the key. */
export function formatEpoch(epoch: Epoch, key: string): string {
  return sealDocument(
    {
      ...epoch,
      floor: formatEntryId(epoch.floor),
      serverLsn: String(epoch.serverLsn),
      previous:
        epoch.previous === null ? null : { id: epoch.previous.id, end: formatEntryId(epoch.previous.end) },
    },
    key,
  )
}

const KINDS: readonly EpochKind[] = ['continuous', 'refilled', 'gap']

/** Parses it; null when it is none of rowcast's, or of another key. @throws BROKER_ENTRY_UNREADABLE when a newer rowcast wrote it */
export function parseEpoch(text: string, key: string): Epoch | null {
  const raw = openDocument(text, key)
  if (!hasMembers(raw)) return null
  const { id, systemId, timeline, reason = null, isOpen } = raw
  if (typeof id !== 'string' || typeof systemId !== 'string' || typeof isOpen !== 'boolean') return null
  if (typeof timeline !== 'number' || !Number.isSafeInteger(timeline) || timeline < 0) return null
  if (reason !== null && typeof reason !== 'string') return null
  const kind = KINDS.find((each) => each === raw['kind'])
  const [floor, serverLsn] = [readEntryId(raw['floor']), readLsn(raw['serverLsn'])]
  const previous = parsePrevious(raw['previous'])
  if (kind === undefined || floor === null || serverLsn === null || previous === undefined) return null
  return { id, systemId, timeline, kind, floor, serverLsn, previous, reason, isOpen }
}

/** Undefined where it is neither an epoch's end nor nothing. */
function parsePrevious(raw: unknown = null): Epoch['previous'] | undefined {
  if (raw === null) return null
  if (!hasMembers(raw)) return undefined
  const { id, end: text } = raw
  const end = readEntryId(text)
  return typeof id === 'string' && end !== null ? { id, end } : undefined
}

/** The position just before everything at or after an LSN. */
export function idBefore(lsn: Lsn): EntryId {
  return { lsn: toLsn(lsn > 0n ? lsn - 1n : 0n), sequence: INDEX_AFTER_ALL }
}

/** The epoch that a beginning stream writes to: the one found, or a new one with the id given. */
export function planEpoch(
  start: RelayStart,
  found: FoundEpoch | null,
  published: Published | null,
  newId: string,
): Epoch {
  const { systemId, timeline, continuity, gap, serverLsn } = start
  const isSameTimeline = found?.epoch.systemId === systemId && found.epoch.timeline === timeline
  const isWhole = continuity.kind === 'continuous' && gap === null
  if (found?.isWritable && isSameTimeline && isWhole) return found.epoch
  const previous = found === null ? null : { id: found.epoch.id, end: found.last }
  const base = {
    ...{ id: newId, systemId, timeline, serverLsn, previous, reason: null, isOpen: true },
    floor: idBefore(continuity.floorLsn),
  }
  const reason = gap === null ? null : String(gap.details['reason'] ?? '')
  if (gap !== null && reason !== 'slot-recreated') return { ...base, kind: 'gap', reason }
  if (continuity.kind === 'continuous') return { ...base, kind: 'continuous' }
  const known = findKnown(start, found, published)
  const isFloorKnown = known !== null && compareEntryIds(known.last, base.floor) < 0
  return {
    ...base,
    kind: 'refilled',
    reason: known === null ? reason : null,
    floor: isFloorKnown ? known.last : base.floor,
  }
}

/**
 * What this process published, if it reaches to where the slot begins: then all that lies between its last entry and
 * that position held nothing, and those who have that entry have missed nothing.
 */
function findKnown(
  { systemId, timeline, continuity }: RelayStart,
  found: FoundEpoch | null,
  published: Published | null,
): Published | null {
  if (published === null || (found !== null && found.epoch.id !== published.epochId)) return null
  if (published.systemId !== systemId || published.timeline !== timeline) return null
  return published.safeLsn < continuity.floorLsn ? null : published
}

/** What a reader at `position` of `known` makes of the next epoch. */
export type Passage =
  | { readonly kind: 'go-on'; readonly position: EntryId }
  | { readonly kind: 'gap'; readonly reason: string }

/** Where a reader stands. */
export interface Reading {
  /** The last entry it has read. */
  readonly read: EntryId
  /** The same, or where the transaction begins that the entry is a part of: it is read again from there. */
  readonly whole: EntryId
}

/** Decides whether a reader has missed something between two epochs. */
export function judgePassage(known: Epoch, { read, whole: position }: Reading, next: Epoch): Passage {
  if (next.kind === 'gap') return { kind: 'gap', reason: next.reason ?? 'unknown' }
  if (next.systemId !== known.systemId) return { kind: 'gap', reason: 'other-cluster' }
  if (next.kind === 'continuous') {
    const { previous } = next
    const beyond = previous?.id === known.id ? compareEntryIds(read, previous.end) : -1
    if (beyond < 0) return { kind: 'gap', reason: 'broker-behind' }
    // What it has read beyond the end was written by somebody whom the next epoch does not know.
    if (beyond > 0) return { kind: 'gap', reason: 'timeline-diverged' }
    return { kind: 'go-on', position: laterEntryId(position, next.floor) }
  }
  if (next.timeline !== known.timeline) return { kind: 'gap', reason: 'timeline-unknown' }
  // A commit that begins where the server's WAL ends is not in it.
  if (position.lsn >= next.serverLsn) return { kind: 'gap', reason: 'server-behind' }
  if (compareEntryIds(position, next.floor) < 0) return { kind: 'gap', reason: next.reason ?? 'broker-lost' }
  return { kind: 'go-on', position }
}

/**
 * The stream of an epoch, to a reader that has just come: it reads on after `from`, and `last` was the newest entry then. A tap that catches up
 * has yet to write what the server had when the epoch began: that is not for those who come without a cursor.
 */
export function beginningAt(
  { systemId, timeline, serverLsn: begunAt }: Epoch,
  from: EntryId,
  last: EntryId,
): StreamStart {
  const [floorLsn, serverLsn] = [toLsn(from.lsn + 1n), laterLsn(toLsn(last.lsn + 1n), begunAt)]
  return { systemId, timeline, isFirst: true, floorLsn, serverLsn }
}

/**
 * The stream of another epoch, to those who have missed nothing. On another timeline only what stands before its floor is
 * known to be the same: a mark of the timeline before may have been beyond what the promoted server had, and whoever was
 * to have what follows there would not get what stands there now.
 */
export function goingOn(
  { systemId, timeline, serverLsn, floor, kind }: Epoch,
  { lsn }: EntryId,
): StreamStart {
  const sharedLsn = kind === 'continuous' ? toLsn(floor.lsn + 1n) : undefined
  return { systemId, timeline, isFirst: false, floorLsn: toLsn(lsn + 1n), serverLsn, sharedLsn }
}

/** Where an epoch ends, as far as the next one says it. */
export function endOf(known: Epoch, next: Epoch): EntryId | null {
  return next.previous?.id === known.id ? next.previous.end : null
}
