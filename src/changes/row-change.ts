/**
 * Stage 4, changes. One row's change over the bytes PostgreSQL sent: images are decoded when somebody first
 * asks for them, once, however many subscribers share the change.
 */
import type { AnyRow, NewImage, RowReader } from '../catalog/row-reader.ts'
import { isSameValue } from '../catalog/values/same-value.ts'
import type { OldKind } from '../pgoutput/messages.ts'
import type { Tuple } from '../pgoutput/tuple.ts'
import type { AnyChange, AnyOperation, ChangeAction, TransactionInfo } from './change.ts'
import { formatCursor } from './cursor.ts'

const NO_FIELDS: readonly string[] = []

/** What a row was and is, as PostgreSQL sent it, and what the change reports of it. */
export interface RowImages {
  readonly action: ChangeAction
  readonly reader: RowReader
  readonly oldKind: OldKind
  readonly old: Tuple | null
  readonly new: Tuple | null
}

/** A change that decodes itself on demand. */
export class RowChange implements AnyChange {
  readonly transaction: TransactionInfo
  readonly index: number
  readonly action: ChangeAction
  readonly #reader: RowReader
  readonly #oldKind: OldKind
  readonly #oldTuple: Tuple | null
  readonly #newTuple: Tuple | null
  /** What PostgreSQL did, where the change reports it as something else. */
  readonly #raw: RowChange | null
  #old: AnyRow | null | undefined
  #new: NewImage | null | undefined
  #key: AnyRow | null | undefined
  #oldKey: { readonly value: AnyRow | null | undefined } | undefined
  #changed: readonly string[] | undefined

  /** `raw`: what PostgreSQL did, where the change reports it as something else. */
  constructor(transaction: TransactionInfo, index: number, images: RowImages, raw: RowChange | null = null) {
    this.transaction = transaction
    this.index = index
    this.action = images.action
    this.#reader = images.reader
    this.#oldKind = images.oldKind
    this.#oldTuple = images.old
    this.#newTuple = images.new
    this.#raw = raw
  }

  get model(): string {
    return this.#reader.model.name
  }

  get old(): AnyRow | null {
    if (this.#old === undefined) {
      const tuple = this.#fullOldTuple
      this.#old = tuple === null ? null : this.#reader.readRow(tuple)
    }
    return this.#old
  }

  get isOldMissing(): boolean {
    return this.action !== 'INSERT' && this.#fullOldTuple === null && this.#reader.isOldExpected
  }

  get new(): AnyRow | null {
    return this.#newImage?.row ?? null
  }

  get unavailable(): readonly string[] {
    return (
      this.#newImage?.unavailable ?? (this.#fullOldTuple === null ? NO_FIELDS : this.#reader.missingFields)
    )
  }

  get key(): AnyRow | null {
    if (this.#key === undefined) {
      const tuple = this.#newTuple ?? this.#oldTuple
      this.#key = tuple === null ? null : this.#reader.readKey(tuple, this.#oldTuple)
    }
    return this.#key
  }

  get oldKey(): AnyRow | null | undefined {
    this.#oldKey ??= { value: this.#readOldKey() }
    return this.#oldKey.value
  }

  get operation(): AnyOperation {
    return this.#raw ?? this
  }

  get changed(): readonly string[] {
    this.#changed ??= this.#compareImages()
    return this.#changed
  }

  /** What its images have, undecoded. */
  get imageBytes(): number {
    const bytesOf = (tuple: Tuple | null) => (tuple === null ? 0 : tuple.end - tuple.start)
    return bytesOf(this.#oldTuple) + bytesOf(this.#newTuple)
  }

  get cursor(): string {
    return formatCursor(this.transaction.origin, this.transaction.commitLsn, this.index)
  }

  fresh(): RowChange {
    const images: RowImages = {
      action: this.action,
      reader: this.#reader,
      oldKind: this.#oldKind,
      old: this.#oldTuple,
      new: this.#newTuple,
    }
    return new RowChange(this.transaction, this.index, images, this.#raw?.fresh() ?? null)
  }

  get #fullOldTuple(): Tuple | null {
    return this.#oldKind === 'full' ? this.#oldTuple : null
  }

  get #newImage(): NewImage | null {
    if (this.#new === undefined) {
      this.#new = this.#newTuple === null ? null : this.#reader.readNew(this.#newTuple, this.#fullOldTuple)
    }
    return this.#new
  }

  #readOldKey(): AnyRow | null | undefined {
    if (this.action !== 'UPDATE') return null
    if (this.#oldTuple === null) return this.#reader.isKeyLogged ? null : undefined
    if (this.#reader.model.primaryKey.length === 0) return null
    const key = this.#reader.readKey(this.#oldTuple)
    if (key === null) return undefined
    return isSameValue(key, this.key) ? null : key
  }

  #compareImages(): readonly string[] {
    // Of a row that is new or gone, all is new or gone.
    if (this.action !== 'UPDATE' || this.#newTuple === null) return NO_FIELDS
    const old = this.#fullOldTuple
    return old === null ? NO_FIELDS : this.#reader.changedFields(old, this.#newTuple)
  }
}
