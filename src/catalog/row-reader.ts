/**
 * Stage 3, catalog. Tuple → the row object that Prisma Client would have returned. A reader is compiled once per
 * version of a relation and reads each tuple in one walk.
 */
import { invariant } from '../errors.ts'
import type { RelationMessage } from '../pgoutput/messages.ts'
import { COLUMN_NULL, COLUMN_UNCHANGED, type Tuple } from '../pgoutput/tuple.ts'
import { hasOtherValue } from './changed-column.ts'
import type { DynamicTypes } from './column-codec.ts'
import {
  COLUMN_HEADER_BYTES,
  createFastRow,
  type FastRowReader,
  nullValueOf,
  readValue,
  skipColumn,
} from './fast-row.ts'
import type { ModelCatalog, ModelSpec } from './model-catalog.ts'
import { type AnyRow, type ColumnPlan, createDriftError, layOutRow, type RowLayout } from './row-layout.ts'
import { UnrepresentableValue } from './values/unrepresentable-value.ts'
import { copyBytes } from './values/value-codec.ts'

export type { AnyRow } from './row-layout.ts'

/** The new image of an update. */
export interface NewImage {
  readonly row: AnyRow
  /** Fields that PostgreSQL did not send, which `row` therefore does not have. */
  readonly unavailable: readonly string[]
}

/**
 * Reads rows of one model from the tuples of one version of its relation. Rows are plain objects with the keys,
 * prototypes and values that Prisma Client returns; what it cannot return is an `UnrepresentableValue`. Nothing
 * here throws for a value, and no result keeps a view on the tuple's bytes.
 */
export interface RowReader {
  readonly model: ModelSpec
  /** The whole row, from a tuple that has all columns: an insert's new, a full old image. */
  readRow(tuple: Tuple): AnyRow
  /** An update's new image; unchanged TOAST is filled from a full old tuple, else left out and listed. */
  readNew(tuple: Tuple, fullOld: Tuple | null): NewImage
  /**
   * The primary key, from a full or a key tuple; null where the model has none or the tuple lacks a part of it.
   * A part that is unchanged TOAST is taken from `old`.
   */
  readKey(tuple: Tuple, old?: Tuple | null): AnyRow | null
  /** Whether the replica identity holds the whole primary key, so that an UPDATE that changes it brings the old one. */
  readonly isKeyLogged: boolean
  /** The same reader for rows of which the old key comes, or does not. */
  withKeyLogged(isKeyLogged: boolean): RowReader
  /** Whether an UPDATE or DELETE without the whole row before it lacks what the model counts on. */
  readonly isOldExpected: boolean
  /** Fields whose columns the publication leaves out: no row has them. */
  readonly missingFields: readonly string[]
  /** Whether a field is neither NULL nor false; null where the tuple does not say. Decodes nothing else. */
  isSet(field: string, tuple: Tuple): boolean | null
  /**
   * Fields whose values differ between two whole images, in the order of the Prisma schema: of a String its text, of all others
   * the value, as PostgreSQL's IS DISTINCT FROM compares it (json as jsonb). Unchanged TOAST has not changed.
   */
  changedFields(fullOld: Tuple, now: Tuple): readonly string[]
}

const NO_FIELDS: readonly string[] = []

/** Below it, a loop is faster than a call of Buffer's compare. */
const SHORT_BYTES = 32

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Offsets of the columns' kind bytes. */
function locateColumns(buffer: Buffer, tuple: Tuple): readonly number[] {
  const offsets: number[] = []
  let at = tuple.start
  for (let index = 0; index < tuple.columnCount; index++) {
    offsets.push(at)
    at = skipColumn(buffer, at)
  }
  return offsets
}

/** Offset of one column's kind byte. */
function locateColumn(buffer: Buffer, tuple: Tuple, index: number): number {
  let at = tuple.start
  for (let passed = 0; passed < index; passed++) at = skipColumn(buffer, at)
  return at
}

/** Goes through the columns of a tuple. */
class ColumnWalk {
  readonly buffer: Buffer
  /** Of the column's kind byte. */
  at: number
  /** Behind the column. */
  end: number

  constructor({ bytes, start }: Tuple) {
    this.buffer = toBuffer(bytes)
    this.at = start
    this.end = start
  }

  next(): void {
    this.at = this.end
    this.end = skipColumn(this.buffer, this.at)
  }
}

/** Compares kind, length and value at once. */
function isSameColumn(a: ColumnWalk, b: ColumnWalk): boolean {
  const length = a.end - a.at
  if (length !== b.end - b.at) return false
  if (length > SHORT_BYTES) return a.buffer.compare(b.buffer, b.at, b.end, a.at, a.end) === 0
  for (let index = 0; index < length; index++)
    if (a.buffer[a.at + index] !== b.buffer[b.at + index]) return false
  return true
}

/** A value whatever happens: what a codec chokes on is data that the stream must survive. */
function readGuarded(buffer: Buffer, at: number, plan: ColumnPlan): unknown {
  if (buffer[at] === COLUMN_NULL) return nullValueOf(plan)
  try {
    return readValue(buffer, at, plan.codec)
  } catch {
    const bytes = copyBytes(buffer, at + COLUMN_HEADER_BYTES, skipColumn(buffer, at))
    return new UnrepresentableValue('unreadable', bytes)
  }
}

class CompiledRowReader implements RowReader {
  readonly model: ModelSpec
  readonly #layout: RowLayout
  readonly #readFast: FastRowReader
  /** Index of each primary-key field's column; null where a part has no column, or there is no key. */
  readonly #keyColumns: readonly number[] | null
  readonly isKeyLogged: boolean
  readonly isOldExpected: boolean
  readonly missingFields: readonly string[]

  constructor(layout: RowLayout, readFast: FastRowReader) {
    this.model = layout.model
    this.isKeyLogged = layout.isKeyLogged
    this.isOldExpected = layout.isOldExpected
    this.missingFields = layout.missingFields
    this.#layout = layout
    this.#readFast = readFast
    const { primaryKey } = layout.model
    const indexes = primaryKey.map((name) => layout.columns.findIndex((plan) => plan?.field.name === name))
    this.#keyColumns = indexes.length === 0 || indexes.includes(-1) ? null : indexes
  }

  withKeyLogged(isKeyLogged: boolean): RowReader {
    return new CompiledRowReader({ ...this.#layout, isKeyLogged }, this.#readFast)
  }

  readRow(tuple: Tuple): AnyRow {
    return this.readNew(tuple, null).row
  }

  readNew(tuple: Tuple, fullOld: Tuple | null): NewImage {
    this.#check(tuple)
    const row = this.#tryFast(tuple)
    if (row !== null) return { row, unavailable: this.#layout.missingFields }
    return this.#readSlowly(tuple, fullOld)
  }

  readKey(tuple: Tuple, old: Tuple | null = null): AnyRow | null {
    this.#check(tuple)
    if (this.#keyColumns === null) return null
    const key: Record<string, unknown> = {}
    for (const index of this.#keyColumns) {
      const plan = this.#layout.columns[index] as ColumnPlan
      let buffer = toBuffer(tuple.bytes)
      let at = locateColumn(buffer, tuple, index)
      if (buffer[at] === COLUMN_UNCHANGED && old !== null) {
        buffer = toBuffer(old.bytes)
        at = locateColumn(buffer, old, index)
      }
      if (buffer[at] === COLUMN_NULL || buffer[at] === COLUMN_UNCHANGED) return null
      key[plan.field.name] = readGuarded(buffer, at, plan)
    }
    return key
  }

  isSet(field: string, tuple: Tuple): boolean | null {
    this.#check(tuple)
    const index = this.#layout.columns.findIndex((plan) => plan?.field.name === field)
    if (index < 0) return null
    const buffer = toBuffer(tuple.bytes)
    const at = locateColumn(buffer, tuple, index)
    if (buffer[at] === COLUMN_NULL) return false
    if (buffer[at] === COLUMN_UNCHANGED) return null
    const plan = this.#layout.columns[index] as ColumnPlan
    return plan.field.type !== 'Boolean' || readGuarded(buffer, at, plan) === true
  }

  changedFields(fullOld: Tuple, now: Tuple): readonly string[] {
    this.#check(fullOld)
    this.#check(now)
    const changed: ColumnPlan[] = []
    const a = new ColumnWalk(fullOld)
    const b = new ColumnWalk(now)
    for (const plan of this.#layout.columns) {
      a.next()
      b.next()
      if (plan !== null && !isSameColumn(a, b) && hasOtherValue(plan, a, b)) changed.push(plan)
    }
    if (changed.length === 0) return NO_FIELDS
    return changed.sort((left, right) => left.slot - right.slot).map((plan) => plan.field.name)
  }

  #tryFast(tuple: Tuple): AnyRow | null {
    try {
      return this.#readFast(toBuffer(tuple.bytes), tuple.start)
    } catch {
      return null
    }
  }

  /** Field by field: for rows with unchanged TOAST, and for those with a value that a codec chokes on. */
  #readSlowly(tuple: Tuple, fullOld: Tuple | null): NewImage {
    const buffer = toBuffer(tuple.bytes)
    const offsets = locateColumns(buffer, tuple)
    const oldBuffer = fullOld === null ? null : toBuffer(fullOld.bytes)
    const oldOffsets = fullOld === null || oldBuffer === null ? null : locateColumns(oldBuffer, fullOld)
    const entries = new Array<[string, unknown] | undefined>(this.#layout.fields.length)
    for (const [index, plan] of this.#layout.columns.entries()) {
      if (plan === null) continue
      const at = offsets[index] as number
      const oldAt = oldOffsets?.[index]
      if (buffer[at] !== COLUMN_UNCHANGED) {
        entries[plan.slot] = [plan.field.name, readGuarded(buffer, at, plan)]
      } else if (oldBuffer !== null && oldAt !== undefined && oldBuffer[oldAt] !== COLUMN_UNCHANGED) {
        entries[plan.slot] = [plan.field.name, readGuarded(oldBuffer, oldAt, plan)]
      }
    }
    const present = entries.filter((entry) => entry !== undefined)
    const unsent = this.#layout.fields.filter((_, slot) => entries[slot] === undefined)
    return { row: Object.fromEntries(present), unavailable: [...unsent, ...this.#layout.missingFields] }
  }

  #check(tuple: Tuple): void {
    invariant(
      tuple.columnCount === this.#layout.columns.length,
      `A tuple of ${tuple.columnCount} columns came for model ${this.model.name}, whose relation has ${this.#layout.columns.length}.`,
    )
  }
}

/** What may be said about how rows are read. */
export interface RowReaderOptions {
  /** Types that are not built in, by OID, as Type messages named them. @default none known */
  readonly types?: DynamicTypes | undefined
}

/** Creates the reader of a layout without findings. */
export function createRowReader(layout: RowLayout, readFast = createFastRow(layout)): RowReader {
  return new CompiledRowReader(layout, readFast)
}

/**
 * Compiles a reader for one version of a relation.
 * @throws CATALOG_DRIFT where relation and model disagree
 */
export function compileRowReader(
  relation: RelationMessage,
  model: ModelSpec,
  catalog: Pick<ModelCatalog, 'enums'>,
  options: RowReaderOptions = {},
): RowReader {
  const { layout, findings } = layOutRow(relation, model, catalog, options)
  if (findings.length > 0) throw createDriftError(relation, model, findings)
  return createRowReader(layout)
}
