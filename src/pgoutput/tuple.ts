/**
 * Stage 2, pgoutput. A row as PostgreSQL sent it, still undecoded: a window on the message's bytes.
 *
 * TupleData (PostgreSQL manual, "Logical Replication Message Formats"):
 *
 *     Int16   number of columns
 *     for each column:
 *       Byte1 'n' NULL | 'u' unchanged TOAST, not sent | 't' text | 'b' binary
 *       Int32 length of the value, only for 't' and 'b'
 *       Byte  the value
 */
import { readInt32 } from './big-endian.ts'

/** PostgreSQL's limit on the columns of a table. Manual, "PostgreSQL Limits". */
export const COLUMN_COUNT_MAX = 1600

/** Kind byte of a NULL column; in a key tuple it also stands for "not part of the key". */
export const COLUMN_NULL = 0x6e // 'n'
/** Kind byte of an unchanged TOASTed column whose value was not sent. */
export const COLUMN_UNCHANGED = 0x75 // 'u'
/** Kind byte of a value in the type's text form. */
export const COLUMN_TEXT = 0x74 // 't'
/** Kind byte of a value in the type's binary (send function) form. */
export const COLUMN_BINARY = 0x62 // 'b'

/**
 * An undecoded row: a view, valid as long as `bytes` is. The decoder has walked it, so every kind byte is
 * known and every length lies within `start`…`end`: readers need no further bounds checks.
 */
export interface Tuple {
  readonly bytes: Uint8Array
  /** Offset of the first column's kind byte. */
  readonly start: number
  /** Offset just past the last column. */
  readonly end: number
  readonly columnCount: number
}

/** Stands for a value that PostgreSQL did not send: an unchanged TOASTed column. Not NULL. */
export const UNCHANGED: unique symbol = Symbol('unchanged')

/** A value as it was sent: `bytes` is a view on the message. */
export interface TupleValue {
  readonly format: 'text' | 'binary'
  readonly bytes: Uint8Array
}

/** One column of a tuple. */
export type TupleColumn = null | typeof UNCHANGED | TupleValue

/** Lists a decoded tuple's columns, for tests and tools; row readers walk the bytes without these objects. */
export function tupleColumns(tuple: Tuple): TupleColumn[] {
  const { bytes } = tuple
  const columns: TupleColumn[] = []
  let at = tuple.start
  for (let index = 0; index < tuple.columnCount; index++) {
    const kind = bytes[at]
    if (kind === COLUMN_TEXT || kind === COLUMN_BINARY) {
      const from = at + 5
      at = from + readInt32(bytes, at + 1)
      columns.push({ format: kind === COLUMN_TEXT ? 'text' : 'binary', bytes: bytes.subarray(from, at) })
    } else {
      columns.push(kind === COLUMN_NULL ? null : UNCHANGED)
      at += 1
    }
  }
  return columns
}

/** Which columns of a tuple are not NULL. */
export function filledColumns({ bytes, start, columnCount }: Tuple): ReadonlySet<number> {
  const filled = new Set<number>()
  let at = start
  for (let index = 0; index < columnCount; index++) {
    const kind = bytes[at]
    if (kind !== COLUMN_NULL) filled.add(index)
    at += kind === COLUMN_BINARY || kind === COLUMN_TEXT ? 5 + readInt32(bytes, at + 1) : 1
  }
  return filled
}
