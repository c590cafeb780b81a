/**
 * Stage 4, changes. Packs changes into the lists that parts of transactions carry: bytes into slabs, numbers into
 * blocks that many parts share.
 */
import type { Buffer } from 'node:buffer'
import type { RowReader } from '../catalog/row-reader.ts'
import type { RowMessage } from '../catalog/writing-tables.ts'
import type { Tuple } from '../pgoutput/tuple.ts'
import { ByteSlabs, RecycledSlabs } from './byte-slabs.ts'
import type { TransactionInfo } from './change.ts'
import {
  COUNT_BYTES,
  FIELD_END,
  FIELD_FLAGS,
  FIELD_INDEX,
  FIELD_NEW,
  FIELD_OLD,
  FIELD_READER,
  FIELD_SLAB,
  formatFlags,
  RECORD_LENGTH,
  type RowAction,
  TRUNCATED,
} from './change-record.ts'
import { PackedChanges, type RecordRun, type RecordTaker } from './packed-changes.ts'

/** Records lie in blocks of this many: a typed array for each small transaction would be the larger part of it. */
const BLOCK_RECORDS = 1_024
/** Readers are replaced as tables are altered; past this many the list restarts. */
const READERS_MAX = 256

const NO_SLABS: readonly Buffer[] = []

/** Packs the changes of one part after the other. */
export class ChangePacker implements RecordTaker {
  readonly #slabs: ByteSlabs
  #readers: RowReader[] = []
  /** Of the latest record. */
  #readerIndex = 0
  /** Slabs of the open part; those of the part before until it has one of its own. */
  #partSlabs: readonly Buffer[] = []
  #hasSlab = false
  #records = new Int32Array(BLOCK_RECORDS * RECORD_LENGTH)
  /** Where the open part begins, and where its next record goes. */
  #start = 0
  #next = 0

  /** Slabs of its own by default; with recycled ones, whoever releases them says until when a part can be read. */
  constructor(slabs: ByteSlabs = new ByteSlabs()) {
    this.#slabs = slabs
  }

  /** Changes in the open part. */
  get length(): number {
    return (this.#next - this.#start) / RECORD_LENGTH
  }

  /** Adds a row's change, reported as `reported`. */
  add(index: number, reader: RowReader, message: RowMessage, reported: RowAction): void {
    const { old: before, new: after } = message
    const first = (before ?? after) as Tuple
    const { bytes, start } = first
    const end = (after ?? first).end
    // What lies before the first tuple's number of columns is in the record.
    const shift = this.#slabs.keep(bytes, start - COUNT_BYTES, end) - (start - COUNT_BYTES)
    const record = this.#addRecord(index, reader, formatFlags(message, reported))
    this.#writeOffsets(
      record,
      before === null ? 0 : before.start + shift,
      after === null ? 0 : after.start + shift,
      end + shift,
    )
  }

  addRun({ records, from, count, readers, slab }: RecordRun): void {
    const past = from + count * RECORD_LENGTH
    const first = ((records[from + FIELD_OLD] || records[from + FIELD_NEW]) as number) - COUNT_BYTES
    const end = records[past - RECORD_LENGTH + FIELD_END] as number
    const shift = this.#slabs.keep(slab, first, end) - first
    for (let record = from; record < past; record += RECORD_LENGTH) {
      const reader = readers[records[record + FIELD_READER] as number] as RowReader
      const to = this.#addRecord(
        records[record + FIELD_INDEX] as number,
        reader,
        records[record + FIELD_FLAGS] as number,
      )
      const oldStart = records[record + FIELD_OLD] as number
      const newStart = records[record + FIELD_NEW] as number
      this.#writeOffsets(
        to,
        oldStart === 0 ? 0 : oldStart + shift,
        newStart === 0 ? 0 : newStart + shift,
        (records[record + FIELD_END] as number) + shift,
      )
    }
  }

  /** Adds that a model's table lost all rows. */
  addTruncate(index: number, reader: RowReader): void {
    this.#addRecord(index, reader, TRUNCATED)
  }

  /** Ends the open part. */
  finish(transaction: TransactionInfo): PackedChanges {
    const { length } = this
    const packed = new PackedChanges(transaction, {
      readers: this.#readers,
      slabs: this.#hasSlab ? this.#partSlabs : NO_SLABS,
      records: this.#records,
      start: this.#start,
      length,
      areBytesReused: this.#slabs instanceof RecycledSlabs,
    })
    this.#start = this.#next
    this.#hasSlab = false
    if (this.#partSlabs.length > 1) this.#partSlabs = []
    if (this.#readers.length > READERS_MAX) this.#readers = []
    return packed
  }

  /** Forgets the open part. */
  discard(): void {
    this.#next = this.#start
    this.#hasSlab = false
    this.#partSlabs = []
  }

  #addRecord(index: number, reader: RowReader, flags: number): number {
    if (this.#next === this.#records.length) this.#growRecords()
    const record = this.#next
    this.#next += RECORD_LENGTH
    this.#records[record + FIELD_INDEX] = index
    this.#records[record + FIELD_READER] = this.#indexOfReader(reader)
    this.#records[record + FIELD_FLAGS] = flags
    return record
  }

  /** Notes where a record's bytes are, which were kept last. */
  #writeOffsets(record: number, oldStart: number, newStart: number, end: number): void {
    this.#records[record + FIELD_SLAB] = this.#indexOfSlab()
    this.#records[record + FIELD_OLD] = oldStart
    this.#records[record + FIELD_NEW] = newStart
    this.#records[record + FIELD_END] = end
  }

  /** A new block; the open part's records go along, so that each part lies in one. */
  #growRecords(): void {
    const open = this.#records.subarray(this.#start)
    this.#records = new Int32Array(Math.max(BLOCK_RECORDS * RECORD_LENGTH, open.length * 2))
    this.#records.set(open)
    this.#next = open.length
    this.#start = 0
  }

  #indexOfReader(reader: RowReader): number {
    if (this.#readers[this.#readerIndex] === reader) return this.#readerIndex
    const index = this.#readers.lastIndexOf(reader)
    this.#readerIndex = index >= 0 ? index : this.#readers.push(reader) - 1
    return this.#readerIndex
  }

  #indexOfSlab(): number {
    const { slab } = this.#slabs
    const last = this.#partSlabs.length - 1
    if (this.#partSlabs[last] === slab) this.#hasSlab = true
    if (this.#hasSlab && this.#partSlabs[last] === slab) return last
    // Never pushed to: the part before may have the same list.
    this.#partSlabs = this.#hasSlab ? [...this.#partSlabs, slab] : [slab]
    this.#hasSlab = true
    return this.#partSlabs.length - 1
  }
}
