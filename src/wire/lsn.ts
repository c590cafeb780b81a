/**
 * Stage 1, wire. Log sequence numbers: positions in PostgreSQL's write-ahead log.
 * Text (`16/B374D848`, two hexadecimal halves) appears only at the edges; inside, an LSN is a branded bigint.
 * Source: PostgreSQL manual, "pg_lsn Type".
 */
import { RowcastError } from '../errors.ts'

declare const lsnBrand: unique symbol

/** A 64-bit unsigned WAL position. */
export type Lsn = bigint & { readonly [lsnBrand]: 'Lsn' }

/** "Nowhere": PostgreSQL's InvalidXLogRecPtr; as a start position it means "where the slot was confirmed". */
export const LSN_ZERO = 0n as Lsn

const LSN_TEXT = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/

/** Brands a 64-bit number as an LSN. */
export function toLsn(value: bigint): Lsn {
  return BigInt.asUintN(64, value) as Lsn
}

/**
 * Parses PostgreSQL's text form.
 * @throws BUG when the text is not an LSN: only PostgreSQL's own answers are parsed here.
 */
export function parseLsn(text: string): Lsn {
  const match = LSN_TEXT.exec(text)
  if (match === null) throw new RowcastError('BUG', `"${text.slice(0, 40)}" is not an LSN.`)
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn
}

/** Formats as PostgreSQL prints it: upper-case, unpadded halves. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
}

/** The one of two positions that stands before the other. */
export function earlierLsn(a: Lsn, b: Lsn): Lsn {
  if (a < b) return a
  return b
}

/** The one of two positions that stands after the other. */
export function laterLsn(a: Lsn, b: Lsn): Lsn {
  return earlierLsn(a, b) === a ? b : a
}

const PAGE_BYTES = 8_192n
const PAGE_HEADER_BYTES = 24n

/**
 * Where the records end that are before an insert position. Behind the last one of a page PostgreSQL says where the next one is to
 * begin, after the header of a page that is not begun; a stream that has all there is stands at the page's end, and would be waited
 * for until somebody writes. No record is shorter than the header, so none is left out where pages are larger. Source: XLogBytePosToRecPtr.
 */
export function endOfRecords(insertLsn: Lsn): Lsn {
  return insertLsn % PAGE_BYTES === PAGE_HEADER_BYTES ? toLsn(insertLsn - PAGE_HEADER_BYTES) : insertLsn
}
