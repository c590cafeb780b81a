/**
 * Stage 5, source. PostgreSQL's write-ahead log as a physical stream brings it → which transaction wrote to which relation.
 * Rows are not looked at: nothing here depends on whether they can be converted. Bytes as PostgreSQL keeps them on
 * little-endian machines; others are refused. Source: PostgreSQL's access/xlog_internal.h, xlogrecord.h, xact.h, heapam_xlog.h.
 */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { type Lsn, toLsn } from '../../wire/lsn.ts'

/** Sizes of a server's WAL, in bytes. */
export interface WalSizes {
  readonly pageBytes: number
  readonly segmentBytes: number
}

/** One record, as far as it is kept. */
export interface WalRecord {
  /** Where it begins: of a commit, the position that pgoutput calls the commit LSN. */
  readonly lsn: Lsn
  readonly xid: number
  readonly resource: number
  readonly info: number
  /** What follows the fixed header, or its beginning. */
  readonly body: Buffer
  /** Length of the whole of it. */
  readonly bodyBytes: number
}

/** Resource managers whose records are kept. */
export const XACT = 1
export const HEAP2 = 9
export const HEAP = 10

const PAGE_HEADER_BYTES = 24
const LONG_PAGE_HEADER_BYTES = 40
const IS_LONG = 0x0002
const RECORD_HEADER_BYTES = 24
const ALIGNMENT = 8
/** XLOG_SWITCH of resource manager XLOG: nothing more is in the segment. */
const SWITCH = 0x40
/** Names of relations stand at the beginning of a record; lists of subtransactions may be long. */
const HEAP_BYTES_KEPT = 1_024
const XACT_BYTES_KEPT = 64 * 1024 * 1024

/** Cuts WAL, given in pieces of any size, into records. */
export class WalRecordReader {
  readonly #sizes: WalSizes
  readonly #onRecord: (record: WalRecord) => void
  #lsn: bigint
  readonly #pageHeader = Buffer.alloc(LONG_PAGE_HEADER_BYTES)
  /** Bytes of the page's header that are still to come. */
  #headerLeft: number
  readonly #head = Buffer.alloc(RECORD_HEADER_BYTES)
  #recordLsn = 0n
  /** Of the record, with its header; 0 between two. */
  #taken = 0
  #total = 0
  #body: Buffer = Buffer.alloc(0)
  /** Nothing before it counts. */
  #skipTo = 0n

  /** `startLsn`: where a record begins. */
  constructor(startLsn: Lsn, sizes: WalSizes, onRecord: (record: WalRecord) => void) {
    this.#sizes = sizes
    this.#onRecord = onRecord
    this.#lsn = startLsn
    this.#headerLeft = this.#pageOffset === 0 ? PAGE_HEADER_BYTES : 0
  }

  /** Takes `bytes[start, end)`, which follow on those before. @throws WIRE_BAD_FRAME where they are not such WAL */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      const room = this.#sizes.pageBytes - this.#pageOffset
      const to = Math.min(end, at + (this.#headerLeft > 0 ? Math.min(this.#headerLeft, room) : room))
      if (this.#headerLeft > 0) this.#takePageHeader(bytes, at, to)
      else this.#takePayload(bytes, at, to)
      at = to
      if (this.#pageOffset === 0) this.#headerLeft = PAGE_HEADER_BYTES
    }
  }

  /** Everything before it has been taken. */
  get lsn(): bigint {
    return this.#lsn
  }

  get #pageOffset(): number {
    return Number(this.#lsn % BigInt(this.#sizes.pageBytes))
  }

  #takePageHeader(bytes: Buffer, from: number, to: number): void {
    const offset = this.#pageOffset
    bytes.copy(this.#pageHeader, offset, from, to)
    this.#lsn += BigInt(to - from)
    this.#headerLeft -= to - from
    if (this.#headerLeft > 0) return
    if (this.#lsn <= this.#skipTo) return
    const isLong = (this.#pageHeader.readUInt16LE(2) & IS_LONG) !== 0
    if (isLong && this.#pageOffset === PAGE_HEADER_BYTES)
      this.#headerLeft = LONG_PAGE_HEADER_BYTES - PAGE_HEADER_BYTES
    else if (this.#pageHeader.readBigUInt64LE(8) !== this.#lsn - BigInt(this.#pageOffset))
      throw new RowcastError('WIRE_BAD_FRAME', 'A page of WAL does not say where it stands.')
  }

  #takePayload(bytes: Buffer, from: number, to: number): void {
    let at = from
    const move = (count: number): void => {
      at += count
      this.#lsn += BigInt(count)
    }
    while (at < to) {
      const rest = to - at
      if (this.#lsn < this.#skipTo) {
        move(Number(this.#skipTo - this.#lsn > BigInt(rest) ? BigInt(rest) : this.#skipTo - this.#lsn))
        continue
      }
      if (this.#taken === 0) {
        const padding = Number((BigInt(ALIGNMENT) - (this.#lsn % BigInt(ALIGNMENT))) % BigInt(ALIGNMENT))
        if (padding > 0) {
          move(Math.min(padding, rest))
          continue
        }
        this.#recordLsn = this.#lsn
      }
      const limit = this.#taken < RECORD_HEADER_BYTES ? RECORD_HEADER_BYTES : this.#total
      const count = Math.min(limit - this.#taken, rest)
      this.#takeRecord(bytes, at, at + count)
      move(count)
      this.#settle()
    }
  }

  #takeRecord(bytes: Buffer, from: number, to: number): void {
    if (this.#taken < RECORD_HEADER_BYTES) bytes.copy(this.#head, this.#taken, from, to)
    else bytes.copy(this.#body, Math.min(this.#taken - RECORD_HEADER_BYTES, this.#body.length), from, to)
    this.#taken += to - from
  }

  /** What follows from what has come of the record. */
  #settle(): void {
    if (this.#taken === RECORD_HEADER_BYTES) {
      this.#total = this.#head.readUInt32LE(0)
      if (this.#total < RECORD_HEADER_BYTES) {
        // Nothing has been written here; the next page may have records again.
        const page = BigInt(this.#sizes.pageBytes)
        this.#skipTo = (this.#lsn / page + 1n) * page
        this.#taken = 0
        return
      }
      this.#body = Buffer.alloc(Math.min(this.#total - RECORD_HEADER_BYTES, keptBytes(this.#head[17] ?? 0)))
    }
    if (this.#taken < RECORD_HEADER_BYTES || this.#taken < this.#total) return
    this.#taken = 0
    const [info, resource] = [this.#head[16] ?? 0, this.#head[17] ?? 0]
    const segment = BigInt(this.#sizes.segmentBytes)
    if (resource === 0 && (info & 0xf0) === SWITCH) this.#skipTo = (this.#lsn / segment + 1n) * segment
    if (keptBytes(resource) === 0) return
    this.#onRecord({
      ...{ lsn: toLsn(this.#recordLsn), xid: this.#head.readUInt32LE(4), resource, info },
      ...{ body: this.#body, bodyBytes: this.#total - RECORD_HEADER_BYTES },
    })
  }
}

function keptBytes(resource: number): number {
  if (resource === XACT) return XACT_BYTES_KEPT
  return resource === HEAP || resource === HEAP2 ? HEAP_BYTES_KEPT : 0
}
