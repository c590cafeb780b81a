/**
 * Stage 3, catalog. Relation OID → model and row reader, kept current by the stream itself: PostgreSQL sends a
 * Relation before the first change of a table on a connection, and again whenever it may have changed.
 */
import type { RowcastError } from '../errors.ts'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { DynamicType } from './column-codec.ts'
import type { ModelCatalog, ModelSpec } from './model-catalog.ts'
import { ModelFaults } from './model-faults.ts'
import { moneyScaleOf } from './money-scale.ts'
import { createPartialRows, type PartialRows } from './partial-rows.ts'
import { describeShape, isNamesake, qualify } from './relation-shape.ts'
import { createDriftError, createRenameError, layOutRow } from './row-layout.ts'
import { createRowReader, type RowReader } from './row-reader.ts'
import { WritingTables } from './writing-tables.ts'

/** What the registry knows about one relation. */
export interface RelationEntry {
  readonly relation: RelationMessage
  /** Null for tables that no registered model stands on. */
  readonly model: ModelSpec | null
  /** Null without a model, and where the table has drifted from it. */
  readonly reader: RowReader | null
  /** CATALOG_DRIFT: the rows cannot be read until the Prisma schema and the database agree again. */
  readonly drift: RowcastError | null
}

/** A table that rows of a model come from, as the database has it. */
export interface ModelTable {
  readonly model: string
  readonly schema: string
  /** The model's own table, or one that inherits from it. */
  readonly table: string
  /** Columns that the publication leaves out: generated ones, and those beside a column list. */
  readonly unpublishedColumns: readonly string[]
}

/** What the registry is made of. */
export interface RelationRegistryOptions {
  readonly catalog: Pick<ModelCatalog, 'enums'>
  /** The models that are live; tables of others are skipped. */
  readonly models: Iterable<ModelSpec>
  /** PostgreSQL schema of models that do not name theirs. @default 'public' */
  readonly defaultSchema?: string | undefined
  /** Names of the models whose tables keep the replica identity they have. @default none: whole old rows are counted on */
  readonly keepsIdentity?: ReadonlySet<string> | undefined
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

/** Of a table that is no model's. */
function createForeignEntry(relation: RelationMessage): RelationEntry {
  return { relation, model: null, reader: null, drift: null }
}

/** Creates an empty registry. */
export function createRelationRegistry(options: RelationRegistryOptions): RelationRegistry {
  const defaultSchema = options.defaultSchema ?? 'public'
  const keepsIdentity = options.keepsIdentity ?? new Set<string>()
  const modelByTable = new Map<string, ModelSpec>()
  for (const model of options.models) {
    modelByTable.set(qualify(model.schema ?? defaultSchema, model.table), model)
  }
  const entries = new Map<number, RelationEntry>()
  const shapes = new Map<number, string>()
  const types = new Map<number, DynamicType>()
  const faults = new ModelFaults()
  const modelByName = new Map([...modelByTable.values()].map((model) => [model.name, model]))
  /** Tables that inherit from a model's: their rows are the model's rows too. */
  let childTables: ReadonlyMap<string, ModelSpec> = new Map()
  let unpublished: ReadonlyMap<string, ReadonlySet<string>> = new Map()
  const writing = new WritingTables()
  let revision = 0
  /** Made when first asked for, and again when readers or writers are others. */
  const partialRows = new Map<number, PartialRows>()

  /** The model whose table this was under its former name, unless another table has taken that name. */
  function findFormerModel(oid: number): ModelSpec | null {
    const former = entries.get(oid)
    if (former === undefined) return null
    const isReplaced = [...entries.values()].some(
      (entry) => entry.relation.oid !== oid && isNamesake(entry.relation, former.relation),
    )
    return isReplaced ? null : former.model
  }

  function describe(relation: RelationMessage): RelationEntry {
    const name = qualify(relation.schema, relation.table)
    const model = modelByTable.get(name) ?? childTables.get(name) ?? null
    if (model === null) {
      const former = findFormerModel(relation.oid)
      const drift = former === null ? null : createRenameError(relation, former, defaultSchema)
      return { relation, model: former, reader: null, drift }
    }
    const { layout, findings } = layOutRow(relation, model, options.catalog, types, unpublished.get(name))
    return findings.length > 0
      ? { relation, model, reader: null, drift: createDriftError(relation, model, findings) }
      : {
          relation,
          model,
          reader: createRowReader({ ...layout, isOldExpected: !keepsIdentity.has(model.name) }),
          drift: null,
        }
  }

  function partialRowsOf(oid: number): PartialRows | null {
    const writers = writing.partialWritersOf(oid)
    const entry = entries.get(oid)
    if (writers.length === 0 || entry?.reader == null) return null
    const known = partialRows.get(oid)
    if (known !== undefined) return known
    const made = createPartialRows(entry.relation, entry.reader, writers)
    partialRows.set(oid, made)
    return made
  }

  /**
   * What has the name of a model's table is its table: one that had the name before (dropped and made again, so
   * with another OID), or was renamed away, is not the model's any more.
   */
  function forgetPredecessors({ relation, model, reader }: RelationEntry): void {
    for (const other of [...entries.values()]) {
      const { oid } = other.relation
      if (oid === relation.oid) continue
      const name = qualify(other.relation.schema, other.relation.table)
      const isRenamed = !modelByTable.has(name) && !childTables.has(name)
      const isRelieved = other.model === model && isRenamed && reader !== null
      if (!isRelieved && !isNamesake(other.relation, relation)) continue
      entries.set(oid, createForeignEntry(other.relation))
      shapes.delete(oid)
    }
  }

  function updateFault(model: ModelSpec | null): void {
    if (model === null) return
    const drifted = [...entries.values()].find((entry) => entry.model === model && entry.drift !== null)
    faults.drift(model.name, drifted?.drift ?? null)
  }

  /**
   * PostgreSQL describes a relation once: what did not fit, or was nobody's, may be a model's by what the catalog says now,
   * and one that inherits no longer is nobody's.
   */
  function redescribe(): void {
    for (const [oid, { relation, drift, model }] of [...entries]) {
      const name = qualify(relation.schema, relation.table)
      const isChild = shapes.has(oid) && childTables.has(name)
      const isFormerChild = drift === null && model !== null && !isChild && !modelByTable.has(name)
      if (isFormerChild) entries.set(oid, createForeignEntry(relation))
      else if (drift !== null || (model === null && isChild)) {
        entries.set(oid, describe(relation))
        updateFault(model ?? entries.get(oid)?.model ?? null)
      }
    }
  }

  return {
    update(message) {
      writing.describe(message)
      partialRows.delete(message.oid)
      const known = entries.get(message.oid)
      const shape = describeShape(message, types)
      const isSame = known !== undefined && shapes.get(message.oid) === shape && known.reader !== null
      const entry = isSame ? { ...known, relation: message } : describe(message)
      forgetPredecessors(entry)
      entries.set(message.oid, entry)
      shapes.set(message.oid, shape)
      updateFault(entry.model)
      if (entry.model !== null) revision += 1
      return entry
    },
    updateType(message) {
      types.set(message.oid, { schema: message.schema, name: message.name })
    },
    entryOf: (oid) => entries.get(oid),
    readerOf(oid) {
      const reader = entries.get(oid)?.reader ?? null
      return reader !== null && faults.all.size > 0 && faults.all.has(reader.model.name) ? null : reader
    },
    noteRow(oid) {
      const isChanged = writing.noteRow(oid)
      if (isChanged) partialRows.clear()
      return isChanged
    },
    noteTruncate: () => writing.noteTruncate(),
    emptiesModel(model, oids) {
      const children = [...childTables].flatMap(([name, spec]) => (spec.name === model ? [name] : []))
      if (children.length === 0) return true
      const relations = oids.flatMap((oid) => entries.get(oid)?.relation ?? [])
      const emptied = new Set(relations.map(({ schema, table }) => qualify(schema, table)))
      const spec = modelByName.get(model)
      const own = spec === undefined ? [] : [qualify(spec.schema ?? defaultSchema, spec.table)]
      return [...own, ...children].every((name) => emptied.has(name))
    },
    partialRowsOf,
    partialWritersOf: (oid) => writing.partialWritersOf(oid),
    replacePartialWriters(oid, writers) {
      writing.replace(oid, writers)
      partialRows.delete(oid)
    },
    get moneyScale() {
      return moneyScaleOf(types)
    },
    hasOldImages(model) {
      const known = [...entries.values()].filter((entry) => entry.model?.name === model)
      return known.every(({ relation }) => relation.replicaIdentity === 'full')
    },
    faults: faults.all,
    get drifts() {
      return new Map([...faults.drifts].filter(([, { code }]) => code === 'CATALOG_DRIFT'))
    },
    get revision() {
      return revision
    },
    wouldFit(relations, newTypes) {
      const all = new Map(types)
      for (const { oid, schema, name } of newTypes) all.set(oid, { schema, name })
      return relations.every((relation) => {
        const name = qualify(relation.schema, relation.table)
        const model = modelByTable.get(name) ?? childTables.get(name)
        if (model === undefined) return false
        return layOutRow(relation, model, options.catalog, all, unpublished.get(name)).findings.length === 0
      })
    },
    expect(tables) {
      const named = tables.map((each) => [qualify(each.schema, each.table), each] as const)
      childTables = new Map(
        named.flatMap(([name, { model }]) => {
          const spec = modelByTable.has(name) ? undefined : modelByName.get(model)
          return spec === undefined ? [] : [[name, spec]]
        }),
      )
      unpublished = new Map(named.map(([name, each]) => [name, new Set(each.unpublishedColumns)]))
      redescribe()
    },
    fail: (model, why) => faults.drift(model, why),
    hold: (model, why) => faults.hold(model, why),
    release: (model) => faults.release(model),
    clear() {
      revision += 1
      entries.clear()
      shapes.clear()
      types.clear()
      writing.clear()
      partialRows.clear()
    },
  }
}
