/**
 * Beside the bus, broker. One entry of the stream: a transaction, or a bounded part of one, as PostgreSQL sent it. Row
 * messages are kept byte for byte, so nothing of a value can be lost; what a relation looks like is kept once, beside
 * the stream, under a digest of itself.
 *
 *      0  Byte1   version           5
 *      1  Byte1   flags             1: ends with the commit, 2: a message outside any transaction
 *      2  Int16   number of relations referred to
 *      4  Int64   lsn               ┐ the entry before this one: a reader that has not
 *     12  Int32   sequence          ┘ seen it knows that something is missing
 *     16  Int32   xid
 *     20  Int64   committedAtMicros since 2000-01-01
 *     28  Int64   endLsn            just past the commit record, 0 before it
 *     36  Int32   firstIndex        of the first row change
 *     40  Int32   firstSequence     of the first record
 *     44  Int32   length of the records
 *     48  Int32   CRC-32 of the stream's key, the entry's id and all other bytes but the next four
 *     52  Int32   length of the metadata: what the entry's length leaves for it, or the entry cannot be read
 *     56  records, each
 *           Byte1 1 message   Int32 length, a message of pgoutput
 *           Byte1 2 relation  Int16 which of those below; holds from here on
 *           Byte1 3 skip      Int32 row changes of tables that are not live
 *      …  Byte8   digest, for each relation
 *      …  Bytes   metadata: what the transaction says of itself, in each of its entries
 *
 * Version 4 is read as well, so that gateways can be updated before taps: it has no metadata, and its records begin at 52.
 */
import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import type { ChangePosition } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { compareEntryIds, type EntryId, formatEntryId } from './entry-id.ts'
import { ENTRY_FIELD, FLOOR_FIELD, type RawEntry } from './entry-log.ts'

const VERSION = 5
const CHECKSUM_OFFSET = 48
const METADATA_OFFSET = 52
const HEADER_BYTES = 56
/** Where the records begin, by version: of this release's entries, and of the one's before it. */
const RECORDS_START: ReadonlyMap<number | undefined, number> = new Map([
  [VERSION, HEADER_BYTES],
  [4, METADATA_OFFSET],
])
const DIGEST_BYTES = 8
const FLAG_FINAL = 1
const FLAG_ALONE = 2
const RECORD_MESSAGE = 1
const RECORD_RELATION = 2
const RECORD_SKIP = 3
/** Stands right before everything that follows. */
const FLOOR = { isFinal: false, isAlone: true, endLsn: toLsn(0n) }

/** Where an entry stands. Its checksum covers it: a copy at another id, or in another stream, is no entry. */
export interface EntryAddress {
  /** Key of the stream. */
  readonly stream: string
  readonly id: EntryId
}

/** As checksums cover it. */
export function describeEntryAddress({ stream, id }: EntryAddress): string {
  return `${stream} ${formatEntryId(id)}`
}

/** What stands before the records. */
export interface EntryHeader {
  readonly previous: EntryId
  /** Ends with the commit of its transaction. */
  readonly isFinal: boolean
  /** A message outside any transaction. */
  readonly isAlone: boolean
  readonly xid: number
  readonly committedAtMicros: bigint
  /** Just past the commit record; 0 in an entry that is not final. */
  readonly endLsn: Lsn
  readonly firstIndex: number
  readonly firstSequence: number
  /** What the transaction says of itself; empty where it says nothing. */
  readonly metadata: Uint8Array
}

/** An entry as it was read; the records are a view on its bytes. */
export interface Entry extends EntryHeader {
  readonly id: EntryId
  /** Digests of the relations that its records refer to. */
  readonly relations: readonly string[]
  readonly bytes: Buffer
  readonly recordsStart: number
  readonly recordsEnd: number
  /** Where its models changed last before it, as the tap has noted it beside the entry. @default unknown */
  readonly lasts?: ReadonlyMap<string, ChangePosition> | undefined
}

/** Takes the records of an entry, in order. */
export interface RecordVisitor {
  message(bytes: Buffer, start: number, end: number): void
  relation(digest: string): void
  skip(count: number): void
}

/** Puts an entry together; used again and again. */
export class EntryEncoder {
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #at = HEADER_BYTES
  readonly #relations: string[] = []

  /** Bytes so far. */
  get byteLength(): number {
    return this.#at
  }

  get isEmpty(): boolean {
    return this.#at === HEADER_BYTES
  }

  /** Copies a message of pgoutput. */
  addMessage(bytes: Buffer, start: number, end: number): void {
    this.#reserve(5 + end - start)
    this.#bytes[this.#at] = RECORD_MESSAGE
    this.#bytes.writeUInt32BE(end - start, this.#at + 1)
    bytes.copy(this.#bytes, this.#at + 5, start, end)
    this.#at += 5 + end - start
  }

  /** Rows from here on look like this. */
  addRelation(digest: string): void {
    let which = this.#relations.indexOf(digest)
    if (which < 0) which = this.#relations.push(digest) - 1
    this.#reserve(3)
    this.#bytes[this.#at] = RECORD_RELATION
    this.#bytes.writeUInt16BE(which, this.#at + 1)
    this.#at += 3
  }

  /** Row changes that are left out, so that those after them keep their index. */
  addSkip(count: number): void {
    this.#reserve(5)
    this.#bytes[this.#at] = RECORD_SKIP
    this.#bytes.writeUInt32BE(count, this.#at + 1)
    this.#at += 5
  }

  /** The entry's bytes; the next one begins. */
  finish(header: EntryHeader, address: EntryAddress): Buffer {
    const recordsLength = this.#at - HEADER_BYTES
    const end = this.#at + this.#relations.length * DIGEST_BYTES
    const payload = Buffer.allocUnsafe(end + header.metadata.length)
    this.#bytes.copy(payload, HEADER_BYTES, HEADER_BYTES, this.#at)
    payload[0] = VERSION
    payload[1] = (header.isFinal ? FLAG_FINAL : 0) | (header.isAlone ? FLAG_ALONE : 0)
    payload.writeUInt16BE(this.#relations.length, 2)
    payload.writeBigUInt64BE(header.previous.lsn, 4)
    payload.writeUInt32BE(header.previous.sequence, 12)
    payload.writeUInt32BE(header.xid, 16)
    payload.writeBigInt64BE(header.committedAtMicros, 20)
    payload.writeBigUInt64BE(header.endLsn, 28)
    payload.writeUInt32BE(header.firstIndex, 36)
    payload.writeUInt32BE(header.firstSequence, 40)
    payload.writeUInt32BE(recordsLength, 44)
    for (const [index, digest] of this.#relations.entries()) {
      payload.write(digest, this.#at + index * DIGEST_BYTES, 'hex')
    }
    payload.writeUInt32BE(header.metadata.length, METADATA_OFFSET)
    payload.set(header.metadata, end)
    payload.writeUInt32BE(checksumOf(payload, address, HEADER_BYTES), CHECKSUM_OFFSET)
    this.clear()
    return payload
  }

  /** Forgets what was added. */
  clear(): void {
    this.#at = HEADER_BYTES
    this.#relations.length = 0
  }

  #reserve(byteCount: number): void {
    const needed = this.#at + byteCount
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** Reads an entry. @throws BROKER_ENTRY_UNREADABLE */
export function decodeEntry({ stream, id }: EntryAddress, bytes: Buffer): Entry {
  const recordsStart = RECORDS_START.get(bytes[0])
  if (bytes.length < (recordsStart ?? HEADER_BYTES)) throw unreadable('is too short')
  if (recordsStart === undefined) throw unreadable(`has version ${bytes[0]}, not ${VERSION}`)
  const flags = bytes[1] ?? 0
  const recordsEnd = recordsStart + bytes.readUInt32BE(44)
  const relationCount = bytes.readUInt16BE(2)
  const relationsEnd = recordsEnd + relationCount * DIGEST_BYTES
  const metadataLength = recordsStart === HEADER_BYTES ? bytes.readUInt32BE(METADATA_OFFSET) : 0
  if (bytes.length !== relationsEnd + metadataLength) throw unreadable('has a wrong length')
  const relations: string[] = []
  for (let at = recordsEnd; at < relationsEnd; at += DIGEST_BYTES) {
    relations.push(bytes.toString('hex', at, at + DIGEST_BYTES))
  }
  if (bytes.readUInt32BE(CHECKSUM_OFFSET) !== checksumOf(bytes, { stream, id }, recordsStart))
    throw unreadable('has a wrong checksum')
  return {
    id,
    previous: { lsn: toLsn(bytes.readBigUInt64BE(4)), sequence: bytes.readUInt32BE(12) },
    isFinal: (flags & FLAG_FINAL) !== 0,
    isAlone: (flags & FLAG_ALONE) !== 0,
    xid: bytes.readUInt32BE(16),
    committedAtMicros: bytes.readBigInt64BE(20),
    endLsn: toLsn(bytes.readBigUInt64BE(28)),
    firstIndex: bytes.readUInt32BE(36),
    firstSequence: bytes.readUInt32BE(40),
    metadata: bytes.subarray(relationsEnd),
    relations,
    ...{ bytes, recordsStart, recordsEnd },
  }
}

/** An epoch's stream, and the floor that it begins with. */
export interface EntryStream {
  readonly stream: string
  readonly floor: EntryId
}

/** Whether what stands in the stream is an entry of ours, or the floor that the stream begins with. */
export function isReadableEntry({ id, field, value }: RawEntry, { stream, floor }: EntryStream): boolean {
  // Everything up to the last entry counts as written: another floor behind it would have the rest passed over.
  if (field === FLOOR_FIELD) return compareEntryIds(id, floor) === 0
  if (field !== ENTRY_FIELD) return false
  try {
    decodeEntry({ stream, id }, value)
    return true
  } catch {
    return false
  }
}

/** Everything before it is in a stream that ends with the entry, or floor; a transaction without its commit is not. */
export function endOfEntry({ id, field, value }: RawEntry, stream: string): Lsn {
  const { isFinal, isAlone, endLsn } = field === FLOOR_FIELD ? FLOOR : decodeEntry({ stream, id }, value)
  if (isFinal && !isAlone) return endLsn
  // It ends where the next record begins.
  return isAlone ? toLsn(id.lsn + 1n) : id.lsn
}

/** Of where it stands, the bytes before the checksum and those after it. */
function checksumOf(bytes: Buffer, address: EntryAddress, recordsStart: number): number {
  const start = crc32(bytes.subarray(0, CHECKSUM_OFFSET), crc32(describeEntryAddress(address)))
  return crc32(bytes.subarray(recordsStart), start)
}

/** Walks the records. @throws BROKER_ENTRY_UNREADABLE, or what the visitor throws */
export function readRecords(entry: Entry, visitor: RecordVisitor): void {
  const { bytes, recordsEnd, relations } = entry
  let at = entry.recordsStart
  while (at < recordsEnd) {
    const kind = bytes[at]
    if (at + (kind === RECORD_RELATION ? 3 : 5) > recordsEnd) throw unreadable('has a record beyond its end')
    if (kind === RECORD_MESSAGE) {
      const start = at + 5
      const end = start + bytes.readUInt32BE(at + 1)
      if (end > recordsEnd) throw unreadable('has a record beyond its end')
      visitor.message(bytes, start, end)
      at = end
    } else if (kind === RECORD_RELATION) {
      visitor.relation(relations[bytes.readUInt16BE(at + 1)] ?? '')
      at += 3
    } else if (kind === RECORD_SKIP) {
      visitor.skip(bytes.readUInt32BE(at + 1))
      at += 5
    } else throw unreadable('has a record of an unknown kind')
  }
}

function unreadable(what: string): RowcastError {
  return new RowcastError('BROKER_ENTRY_UNREADABLE', `An entry of the stream ${what}.`)
}
