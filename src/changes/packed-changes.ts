/**
 * Stage 4, changes. A part's changes as they are kept: PostgreSQL's bytes, and a few numbers for each change. The
 * objects that subscribers get are made when somebody asks for them. Most changes are asked for once or never, and
 * a million small objects that live for minutes cost more than all decoding.
 */
import { Buffer } from 'node:buffer'
import type { RowReader } from '../catalog/row-reader.ts'
import { readUint16 } from '../pgoutput/big-endian.ts'
import type { Tuple } from '../pgoutput/tuple.ts'
import type { AnyChange, ChangeAction, ChangeList, TransactionInfo } from './change.ts'
import {
  COUNT_BYTES,
  FIELD_END,
  FIELD_FLAGS,
  FIELD_INDEX,
  FIELD_NEW,
  FIELD_OLD,
  FIELD_READER,
  FIELD_SLAB,
  parseFlags,
  RECORD_LENGTH,
  TRUNCATED,
} from './change-record.ts'
import { RowChange, type RowImages } from './row-change.ts'
import { TruncateTableChange } from './truncate-change.ts'

/** Between an old tuple and the new one: the new one's marker and number of columns. */
const BETWEEN_BYTES = 3

/** Takes changes over from a list. */
export interface RecordTaker {
  addTruncate(index: number, reader: RowReader): void
  addRun(run: RecordRun): void
}

/** So many records from `records[from]` on, whose bytes lie side by side in `slab`. */
export interface RecordRun {
  readonly records: Int32Array
  readonly from: number
  readonly count: number
  readonly readers: readonly RowReader[]
  readonly slab: Buffer
}

/** Records of changes, and the bytes that they speak of. */
export interface PackedRecords {
  readonly readers: readonly RowReader[]
  readonly slabs: readonly Buffer[]
  readonly records: Int32Array
  /** Of the first record. */
  readonly start: number
  /** Of changes. */
  readonly length: number
  /** Whether the slabs will hold other changes one day: what leaves the list takes its bytes along. */
  readonly areBytesReused: boolean
}

/** The changes of a part. */
export class PackedChanges implements ChangeList {
  readonly length: number
  readonly #transaction: TransactionInfo
  readonly #readers: readonly RowReader[]
  readonly #slabs: readonly Buffer[]
  readonly #records: Int32Array
  /** Of the first record. */
  readonly #start: number
  /** Whether the slabs will hold other changes one day: what leaves this list takes its bytes along. */
  readonly #areBytesReused: boolean

  constructor(transaction: TransactionInfo, packed: PackedRecords) {
    this.#areBytesReused = packed.areBytesReused
    this.#transaction = transaction
    this.#readers = packed.readers
    this.#slabs = packed.slabs
    this.#records = packed.records
    this.#start = packed.start
    this.length = packed.length
  }

  at(index: number): AnyChange | undefined {
    if (index < 0 || index >= this.length) return undefined
    const record = this.#start + index * RECORD_LENGTH
    const changeIndex = this.#number(record, FIELD_INDEX)
    const reader = this.#readerOf(record)
    return this.#number(record, FIELD_FLAGS) === TRUNCATED
      ? new TruncateTableChange(this.#transaction, changeIndex, reader.model.name)
      : this.#rowChange(record, changeIndex, reader)
  }

  modelAt(index: number): string {
    return this.#readerOf(this.#start + index * RECORD_LENGTH).model.name
  }

  indexAt(index: number): number {
    return this.#number(this.#start + index * RECORD_LENGTH, FIELD_INDEX)
  }

  bytesAt(index: number): number {
    const record = this.#start + index * RECORD_LENGTH
    if (this.#number(record, FIELD_FLAGS) === TRUNCATED) return 0
    const first = this.#number(record, FIELD_OLD) || this.#number(record, FIELD_NEW)
    return this.#number(record, FIELD_END) - first + COUNT_BYTES
  }

  actionAt(index: number): ChangeAction {
    const flags = this.#number(this.#start + index * RECORD_LENGTH, FIELD_FLAGS)
    return flags === TRUNCATED ? 'TRUNCATE' : parseFlags(flags).reported
  }

  *[Symbol.iterator](): Iterator<AnyChange> {
    for (let index = 0; index < this.length; index++) yield this.at(index) as AnyChange
  }

  /** The slab of the last row; undefined where there is none. */
  get lastSlab(): Buffer | undefined {
    return this.#slabs[this.#slabs.length - 1]
  }

  /** Adds all changes to the open part of `packer`; what lies side by side goes in one piece. */
  copyTo(packer: RecordTaker): void {
    const end = this.#start + this.length * RECORD_LENGTH
    for (let record = this.#start; record < end; ) {
      if (this.#number(record, FIELD_FLAGS) === TRUNCATED) {
        packer.addTruncate(this.#number(record, FIELD_INDEX), this.#readerOf(record))
        record += RECORD_LENGTH
        continue
      }
      const index = this.#number(record, FIELD_SLAB)
      let past = record + RECORD_LENGTH
      while (past < end && this.#isRowIn(past, index)) past += RECORD_LENGTH
      const slab = this.#slabs[index] as Buffer
      const count = (past - record) / RECORD_LENGTH
      packer.addRun({ records: this.#records, from: record, count, readers: this.#readers, slab })
      record = past
    }
  }

  #isRowIn(record: number, slab: number): boolean {
    return this.#number(record, FIELD_FLAGS) !== TRUNCATED && this.#number(record, FIELD_SLAB) === slab
  }

  #rowChange(record: number, index: number, reader: RowReader): RowChange {
    const { oldKind, done: action, reported } = parseFlags(this.#number(record, FIELD_FLAGS))
    let slab = this.#slabs[this.#number(record, FIELD_SLAB)] as Buffer
    let oldStart = this.#number(record, FIELD_OLD)
    let newStart = this.#number(record, FIELD_NEW)
    let end = this.#number(record, FIELD_END)
    if (this.#areBytesReused) {
      const first = (oldStart === 0 ? newStart : oldStart) - COUNT_BYTES
      slab = Buffer.from(slab.subarray(first, end))
      if (oldStart > 0) oldStart -= first
      if (newStart > 0) newStart -= first
      end -= first
    }
    const before =
      oldStart === 0 ? null : tupleAt(slab, oldStart, newStart === 0 ? end : newStart - BETWEEN_BYTES)
    const after = newStart === 0 ? null : tupleAt(slab, newStart, end)
    const done: RowImages = { action, reader, oldKind, old: before, new: after }
    const change = new RowChange(this.#transaction, index, done)
    if (reported === action) return change
    const images = reportedImages(done, reported)
    return new RowChange(this.#transaction, index, images, change)
  }

  #readerOf(record: number): RowReader {
    return this.#readers[this.#number(record, FIELD_READER)] as RowReader
  }

  #number(record: number, field: number): number {
    return this.#records[record + field] as number
  }
}

function tupleAt(bytes: Buffer, start: number, end: number): Tuple {
  return { bytes, start, end, columnCount: readUint16(bytes, start - COUNT_BYTES) }
}

/** A row that is marked as deleted is reported as gone, and one that no longer is as new. */
function reportedImages({ reader, oldKind, old, new: after }: RowImages, action: ChangeAction): RowImages {
  return action === 'DELETE'
    ? { action, reader, oldKind, old, new: null }
    : { action, reader, oldKind: 'none', old: null, new: after }
}
