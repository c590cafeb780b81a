/**
 * Stage 2, pgoutput. The first byte of a message: which message it is, and since which protocol version it exists.
 * Source: PostgreSQL manual, "Logical Replication Message Formats".
 */
import type { Message, ProtocolVersion } from './messages.ts'

/** One row of the tag table. */
export interface MessageTag {
  /** The ASCII character on the wire. */
  readonly tag: string
  readonly kind: Message['kind']
  readonly sinceVersion: ProtocolVersion
}

/** Every tag, in the order of the manual's versions. */
export const MESSAGE_TAGS: readonly MessageTag[] = [
  { tag: 'B', kind: 'begin', sinceVersion: 1 },
  { tag: 'C', kind: 'commit', sinceVersion: 1 },
  { tag: 'O', kind: 'origin', sinceVersion: 1 },
  { tag: 'R', kind: 'relation', sinceVersion: 1 },
  { tag: 'Y', kind: 'type', sinceVersion: 1 },
  { tag: 'I', kind: 'insert', sinceVersion: 1 },
  { tag: 'U', kind: 'update', sinceVersion: 1 },
  { tag: 'D', kind: 'delete', sinceVersion: 1 },
  { tag: 'T', kind: 'truncate', sinceVersion: 1 },
  { tag: 'M', kind: 'message', sinceVersion: 1 },
  { tag: 'S', kind: 'stream-start', sinceVersion: 2 },
  { tag: 'E', kind: 'stream-stop', sinceVersion: 2 },
  { tag: 'c', kind: 'stream-commit', sinceVersion: 2 },
  { tag: 'A', kind: 'stream-abort', sinceVersion: 2 },
  { tag: 'b', kind: 'begin-prepare', sinceVersion: 3 },
  { tag: 'P', kind: 'prepare', sinceVersion: 3 },
  { tag: 'K', kind: 'commit-prepared', sinceVersion: 3 },
  { tag: 'r', kind: 'rollback-prepared', sinceVersion: 3 },
  { tag: 'p', kind: 'stream-prepare', sinceVersion: 3 },
]

/** Indexed by the byte itself: the look-up is on the hottest path. */
const TAG_BY_BYTE: readonly (MessageTag | undefined)[] = Array.from({ length: 256 }, (_, byte) =>
  MESSAGE_TAGS.find((row) => row.tag.charCodeAt(0) === byte),
)

/** The row for a message's first byte; undefined for a byte no version knows. */
export function findMessageTag(byte: number | undefined): MessageTag | undefined {
  return byte === undefined ? undefined : TAG_BY_BYTE[byte]
}
