/**
 * Stage 2, pgoutput. Insert, update and delete: millions of them, so read by hand, one walk over each tuple,
 * one object for the message and one for each tuple, nothing for each column.
 * Source: PostgreSQL manual, "Logical Replication Message Formats".
 */
import { readInt32, readUint16, readUint32 } from './big-endian.ts'
import { formatByte, malformedMessage, truncatedMessage } from './message-faults.ts'
import type { DeleteMessage, InsertMessage, UpdateMessage } from './messages.ts'
import {
  COLUMN_BINARY,
  COLUMN_COUNT_MAX,
  COLUMN_NULL,
  COLUMN_TEXT,
  COLUMN_UNCHANGED,
  type Tuple,
} from './tuple.ts'

const NEW_TUPLE = 0x4e // 'N'
const KEY_TUPLE = 0x4b // 'K'
const OLD_TUPLE = 0x4f // 'O'

/** Bytes before the first tuple's marker: tag and OID, in a streamed block the xid between them. */
const HEADER_BYTES = 5
const STREAMED_HEADER_BYTES = 9

/** Decodes a message whose tag is 'I'. @throws PGOUTPUT_TRUNCATED, PGOUTPUT_MALFORMED */
export function decodeInsert(
  bytes: Uint8Array,
  start: number,
  end: number,
  isStreamed: boolean,
): InsertMessage {
  const at = start + (isStreamed ? STREAMED_HEADER_BYTES : HEADER_BYTES)
  if (readMarker(bytes, start, end, at) !== NEW_TUPLE) throw unexpectedMarker(bytes, start, end, at)
  const tuple = walkTuple(bytes, start, end, at + 1)
  if (tuple.end !== end) throw trailingBytes(bytes, start, end, tuple.end)
  return {
    kind: 'insert',
    streamXid: isStreamed ? readUint32(bytes, start + 1) : null,
    relationOid: readUint32(bytes, at - 4),
    oldKind: 'none',
    old: null,
    new: tuple,
  }
}

/** Decodes a message whose tag is 'U'. @throws PGOUTPUT_TRUNCATED, PGOUTPUT_MALFORMED */
export function decodeUpdate(
  bytes: Uint8Array,
  start: number,
  end: number,
  isStreamed: boolean,
): UpdateMessage {
  const at = start + (isStreamed ? STREAMED_HEADER_BYTES : HEADER_BYTES)
  const marker = readMarker(bytes, start, end, at)
  const hasOld = marker === OLD_TUPLE || marker === KEY_TUPLE
  const old = hasOld ? walkTuple(bytes, start, end, at + 1) : null
  const newAt = old === null ? at : old.end
  if (readMarker(bytes, start, end, newAt) !== NEW_TUPLE) throw unexpectedMarker(bytes, start, end, newAt)
  const tuple = walkTuple(bytes, start, end, newAt + 1)
  if (tuple.end !== end) throw trailingBytes(bytes, start, end, tuple.end)
  return {
    kind: 'update',
    streamXid: isStreamed ? readUint32(bytes, start + 1) : null,
    relationOid: readUint32(bytes, at - 4),
    oldKind: old === null ? 'none' : marker === OLD_TUPLE ? 'full' : 'key',
    old,
    new: tuple,
  }
}

/** Decodes a message whose tag is 'D'. @throws PGOUTPUT_TRUNCATED, PGOUTPUT_MALFORMED */
export function decodeDelete(
  bytes: Uint8Array,
  start: number,
  end: number,
  isStreamed: boolean,
): DeleteMessage {
  const at = start + (isStreamed ? STREAMED_HEADER_BYTES : HEADER_BYTES)
  const marker = readMarker(bytes, start, end, at)
  if (marker !== OLD_TUPLE && marker !== KEY_TUPLE) throw unexpectedMarker(bytes, start, end, at)
  const tuple = walkTuple(bytes, start, end, at + 1)
  if (tuple.end !== end) throw trailingBytes(bytes, start, end, tuple.end)
  return {
    kind: 'delete',
    streamXid: isStreamed ? readUint32(bytes, start + 1) : null,
    relationOid: readUint32(bytes, at - 4),
    oldKind: marker === OLD_TUPLE ? 'full' : 'key',
    old: tuple,
    new: null,
  }
}

/** The byte that says which tuple follows; finding it within bounds proves the header before it is whole. */
function readMarker(bytes: Uint8Array, start: number, end: number, at: number): number {
  if (at >= end) throw truncatedMessage({ bytes, start, end }, end, 'a tuple marker and what leads up to it')
  return bytes[at] as number
}

/** Checks every kind byte and length once, so that whoever reads the tuple later need not. */
function walkTuple(bytes: Uint8Array, start: number, end: number, tupleAt: number): Tuple {
  const first = tupleAt + 2
  if (first > end) throw truncatedMessage({ bytes, start, end }, tupleAt, 'the number of columns')
  const columnCount = readUint16(bytes, tupleAt)
  if (columnCount > COLUMN_COUNT_MAX) {
    throw malformedMessage({ bytes, start, end }, tupleAt, `a tuple of ${columnCount} columns`)
  }
  let at = first
  for (let index = 0; index < columnCount; index++) {
    if (at >= end) throw truncatedMessage({ bytes, start, end }, at, `column ${index + 1} of ${columnCount}`)
    const kind = bytes[at]
    if (kind === COLUMN_TEXT || kind === COLUMN_BINARY) {
      if (at + 5 > end) throw truncatedMessage({ bytes, start, end }, at + 1, 'the length of a column')
      const length = readInt32(bytes, at + 1)
      if (length < 0) throw malformedMessage({ bytes, start, end }, at + 1, `a negative length (${length})`)
      at += 5
      if (length > end - at) throw truncatedMessage({ bytes, start, end }, at, `a value of ${length} bytes`)
      at += length
    } else if (kind === COLUMN_NULL || kind === COLUMN_UNCHANGED) {
      at += 1
    } else {
      throw malformedMessage({ bytes, start, end }, at, `an unknown kind of column (${formatByte(kind)})`)
    }
  }
  return { bytes, start: first, end: at, columnCount }
}

function unexpectedMarker(bytes: Uint8Array, start: number, end: number, at: number) {
  return malformedMessage({ bytes, start, end }, at, `an unexpected tuple marker (${formatByte(bytes[at])})`)
}

function trailingBytes(bytes: Uint8Array, start: number, end: number, at: number) {
  return malformedMessage({ bytes, start, end }, at, `${end - at} bytes too many`)
}
