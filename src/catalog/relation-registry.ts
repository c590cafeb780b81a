/**
 * Stage 3, catalog. Relation OID → model and row reader, kept current by the stream itself: PostgreSQL sends a
 * Relation before the first change of a table on a connection, and again whenever it may have changed.
 */
import type { RowcastError } from '../errors.ts'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { DynamicType } from './column-codec.ts'
import type { ModelCatalog, ModelSpec } from './model-catalog.ts'
import { ModelFaults } from './model-faults.ts'
import { type ModelTable, ModelTables } from './model-table-names.ts'
import { moneyScaleOf } from './money-scale.ts'
import { createPartialRows, type PartialRows } from './partial-rows.ts'
import { createForeignEntry, type RelationEntry } from './relation-entry.ts'
import { describeShape, isNamesake } from './relation-shape.ts'
import { createDriftError, createRenameError, layOutRow } from './row-layout.ts'
import { createRowReader, type RowReader } from './row-reader.ts'
import type { TimeDigits } from './time-digits.ts'
import { WritingTables } from './writing-tables.ts'

/** What the registry is made of. */
export interface RelationRegistryOptions {
  readonly catalog: Pick<ModelCatalog, 'enums'>
  /** The models that are live; tables of others are skipped. */
  readonly models: Iterable<ModelSpec>
  /** PostgreSQL schema of models that do not name theirs. @default 'public' */
  readonly defaultSchema?: string | undefined
  /** Names of the models whose tables keep the replica identity they have. @default none: whole old rows are counted on */
  readonly keepsIdentity?: ReadonlySet<string> | undefined
  readonly timeDigits?: TimeDigits | undefined
}

/** The relations of one stream. */
export interface RelationRegistry {
  /** Takes a Relation message; the reader stays the same unless the table's shape has changed. */
  update(message: RelationMessage): RelationEntry
  /** Takes a Type message; it comes before the Relation that uses the type. */
  updateType(message: TypeMessage): void
  /** What is known about a relation; undefined before its Relation message. */
  entryOf(oid: number): RelationEntry | undefined
  /** The reader of a relation's rows; null for unknown tables, and for drifted ones. */
  readerOf(oid: number): RowReader | null
  /** Models whose tables have written a row that comes under the name of a table that is not theirs; before `noteRow`. */
  modelsBehind(oid: number): readonly string[]
  /** To be called for each row before its reader is asked for: PostgreSQL describes a partition before its change. */
  noteRow(oid: number): boolean
  /** To be called for each TRUNCATE. */
  noteTruncate(): void
  /** Whether a TRUNCATE of these tables empties the model: of one that others inherit from, each of them has to be there. */
  emptiesModel(model: string, oids: readonly number[]): boolean
  /** Null where every old tuple that is marked as a whole row is one. */
  partialRowsOf(oid: number): PartialRows | null
  /** Partitions that write rows of the table and log a part of each only. */
  partialWritersOf(oid: number): readonly RelationMessage[]
  /** Takes over what another process knows of them. */
  replacePartialWriters(oid: number, writers: readonly RelationMessage[]): void
  /** Digits of money after the point, by the database's lc_monetary. */
  readonly moneyScale: number
  /** Whether a model's changes carry whole old rows: REPLICA IDENTITY FULL; true while that is not known. */
  hasOldImages(model: string): boolean
  /**
   * Models whose changes cannot be delivered at present, by name, and why. A model stays among them until a Relation
   * that fits, and while it is held.
   */
  readonly faults: ReadonlyMap<string, RowcastError>
  /** Those of them that a Relation caused: by models whose rows cannot be read. */
  readonly drifts: ReadonlyMap<string, RowcastError>
  /** Another one after each Relation of a model's table, and when they are forgotten. */
  readonly revision: number
  /** Whether the rows of all these relations could be read, were they to come with these types. */
  wouldFit(relations: readonly RelationMessage[], types: readonly TypeMessage[]): boolean
  /** Takes what the database's catalog says; counts from the next Relation on, and for those that did not fit. */
  expect(tables: readonly ModelTable[]): void
  /** No change of a model can be delivered from now on, until a Relation that fits. */
  fail(model: string, why: RowcastError): void
  /** No change of a model may be delivered from now on, until `release`, whatever the stream brings. */
  hold(model: string, why: RowcastError): void
  release(model: string): void
  /** Forgets relations and types: on a new connection PostgreSQL describes each again. Faults stay. */
  clear(): void
}

/** Creates an empty registry. */
export function createRelationRegistry(options: RelationRegistryOptions): RelationRegistry {
  return new Registry(options)
}

class Registry implements RelationRegistry {
  readonly #tables: ModelTables
  readonly #options: RelationRegistryOptions
  readonly #entries = new Map<number, RelationEntry>()
  readonly #shapes = new Map<number, string>()
  readonly #types = new Map<number, DynamicType>()
  readonly #faults = new ModelFaults()
  readonly #writing = new WritingTables()
  /** Made when first asked for, and again when readers or writers are others. */
  readonly #partialRows = new Map<number, PartialRows>()
  #revision = 0
  readonly #nameOf = (oid: number) => this.#entries.get(oid)?.model?.name

  constructor(options: RelationRegistryOptions) {
    this.#options = options
    this.#tables = new ModelTables(options.models, options.defaultSchema ?? 'public')
  }

  update(message: RelationMessage): RelationEntry {
    this.#writing.describe(message)
    this.#partialRows.delete(message.oid)
    const known = this.#entries.get(message.oid)
    const shape = describeShape(message, this.#types)
    const isSame = known !== undefined && this.#shapes.get(message.oid) === shape && known.reader !== null
    const entry = isSame ? { ...known, relation: message } : this.#describe(message)
    this.#forgetPredecessors(entry)
    this.#entries.set(message.oid, entry)
    this.#shapes.set(message.oid, shape)
    this.#updateFault(entry.model)
    this.#options.timeDigits?.note(message, entry.model)
    if (entry.model !== null) this.#revision += 1
    return entry
  }

  updateType({ oid, schema, name }: TypeMessage): void {
    this.#types.set(oid, { schema, name })
  }

  entryOf(oid: number): RelationEntry | undefined {
    return this.#entries.get(oid)
  }

  readerOf(oid: number): RowReader | null {
    const reader = this.#entries.get(oid)?.reader ?? null
    const { all } = this.#faults
    return reader !== null && all.size > 0 && all.has(reader.model.name) ? null : reader
  }

  modelsBehind(oid: number): readonly string[] {
    return this.#writing.modelsBehind(oid, this.#nameOf)
  }

  noteRow(oid: number): boolean {
    const isChanged = this.#writing.noteRow(oid)
    if (isChanged) this.#partialRows.clear()
    return isChanged
  }

  noteTruncate(): void {
    this.#writing.noteTruncate()
  }

  emptiesModel(model: string, oids: readonly number[]): boolean {
    const relations = oids.flatMap((oid) => this.#entries.get(oid)?.relation ?? [])
    return this.#tables.areAllOf(model, relations)
  }

  partialRowsOf(oid: number): PartialRows | null {
    const writers = this.#writing.partialWritersOf(oid)
    const entry = this.#entries.get(oid)
    if (writers.length === 0 || entry?.reader == null) return null
    const known = this.#partialRows.get(oid)
    if (known !== undefined) return known
    const made = createPartialRows(entry.relation, entry.reader, writers)
    this.#partialRows.set(oid, made)
    return made
  }

  partialWritersOf(oid: number): readonly RelationMessage[] {
    return this.#writing.partialWritersOf(oid)
  }

  replacePartialWriters(oid: number, writers: readonly RelationMessage[]): void {
    this.#writing.replace(oid, writers)
    this.#partialRows.delete(oid)
  }

  get moneyScale(): number {
    return moneyScaleOf(this.#types)
  }

  hasOldImages(model: string): boolean {
    const known = [...this.#entries.values()].filter((entry) => entry.model?.name === model)
    return known.every(({ relation }) => relation.replicaIdentity === 'full')
  }

  get faults(): ReadonlyMap<string, RowcastError> {
    return this.#faults.all
  }

  get drifts(): ReadonlyMap<string, RowcastError> {
    return new Map([...this.#faults.drifts].filter(([, { code }]) => code === 'CATALOG_DRIFT'))
  }

  get revision(): number {
    return this.#revision
  }

  wouldFit(relations: readonly RelationMessage[], newTypes: readonly TypeMessage[]): boolean {
    const types = new Map(this.#types)
    for (const { oid, schema, name } of newTypes) types.set(oid, { schema, name })
    return relations.every((relation) => {
      const model = this.#tables.modelOf(relation)
      return model !== null && this.#layOut(relation, model, types).findings.length === 0
    })
  }

  expect(tables: readonly ModelTable[]): void {
    this.#tables.expect(tables)
    this.#redescribe()
  }

  fail(model: string, why: RowcastError): void {
    this.#faults.drift(model, why)
  }

  hold(model: string, why: RowcastError): void {
    this.#faults.hold(model, why)
  }

  release(model: string): void {
    this.#faults.release(model)
  }

  clear(): void {
    this.#revision += 1
    this.#entries.clear()
    this.#shapes.clear()
    this.#types.clear()
    this.#writing.clear()
    this.#partialRows.clear()
  }

  #layOut(relation: RelationMessage, model: ModelSpec, types: ReadonlyMap<number, DynamicType>) {
    return layOutRow(relation, model, this.#options.catalog, {
      types,
      unpublished: this.#tables.unpublishedOf(relation),
    })
  }

  #describe(relation: RelationMessage): RelationEntry {
    const model = this.#tables.modelOf(relation)
    if (model === null) {
      const former = this.#findFormerModel(relation.oid)
      const drift = former === null ? null : createRenameError(relation, former, this.#tables.defaultSchema)
      return { relation, model: former, reader: null, drift }
    }
    const { layout, findings } = this.#layOut(relation, model, this.#types)
    if (findings.length > 0)
      return { relation, model, reader: null, drift: createDriftError(relation, model, findings) }
    const isOldExpected = this.#options.keepsIdentity?.has(model.name) !== true
    return { relation, model, reader: createRowReader({ ...layout, isOldExpected }), drift: null }
  }

  /** The model whose table this was under its former name, unless another table has taken that name. */
  #findFormerModel(oid: number): ModelSpec | null {
    const former = this.#entries.get(oid)
    if (former === undefined) return null
    const isReplaced = [...this.#entries.values()].some(
      (entry) => entry.relation.oid !== oid && isNamesake(entry.relation, former.relation),
    )
    return isReplaced ? null : former.model
  }

  /**
   * What has the name of a model's table is its table: one that had the name before (dropped and made again, so
   * with another OID), or was renamed away, is not the model's any more.
   */
  #forgetPredecessors({ relation, model, reader }: RelationEntry): void {
    for (const other of [...this.#entries.values()]) {
      const { oid } = other.relation
      if (oid === relation.oid) continue
      const isRenamed = this.#tables.modelOf(other.relation) === null
      const isRelieved = other.model === model && isRenamed && reader !== null
      if (!isRelieved && !isNamesake(other.relation, relation)) continue
      this.#entries.set(oid, createForeignEntry(other.relation))
      this.#shapes.delete(oid)
    }
  }

  #updateFault(model: ModelSpec | null): void {
    if (model === null) return
    const drifted = [...this.#entries.values()].find((entry) => entry.model === model && entry.drift !== null)
    this.#faults.drift(model.name, drifted?.drift ?? null)
  }

  /**
   * PostgreSQL describes a relation once: what did not fit, or was nobody's, may be a model's by what the catalog says now,
   * and one that inherits no longer is nobody's.
   */
  #redescribe(): void {
    for (const [oid, { relation, drift, model }] of [...this.#entries]) {
      const isChild = this.#shapes.has(oid) && this.#tables.isChild(relation)
      const isFormerChild = drift === null && model !== null && !isChild && !this.#tables.isOwn(relation)
      if (isFormerChild) this.#entries.set(oid, createForeignEntry(relation))
      else if (drift !== null || (model === null && isChild)) {
        const entry = this.#describe(relation)
        this.#entries.set(oid, entry)
        this.#updateFault(model ?? entry.model)
      }
    }
  }
}
