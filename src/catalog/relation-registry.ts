/**
 * Stage 3, catalog. Relation OID → model and row reader, kept current by the stream itself: PostgreSQL sends a
 * Relation before the first change of a table on a connection, and again whenever it may have changed.
 */
import type { RowcastError } from '../errors.ts'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { DynamicType } from './column-codec.ts'
import type { ModelCatalog, ModelSpec } from './model-catalog.ts'
import { createDriftError, layOutRow } from './row-layout.ts'
import { createRowReader, type RowReader } from './row-reader.ts'

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

/** What the registry is made of. */
export interface RelationRegistryOptions {
  readonly catalog: Pick<ModelCatalog, 'enums'>
  /** The models that are live; tables of others are skipped. */
  readonly models: Iterable<ModelSpec>
  /** PostgreSQL schema of models that do not name theirs. @default 'public' */
  readonly defaultSchema?: string | undefined
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
  /** Relations of models whose rows cannot be read at present. */
  readonly drifted: readonly RelationEntry[]
  /** Forgets all: on a new connection PostgreSQL describes every relation anew. */
  clear(): void
}

function qualify(schema: string, table: string): string {
  return JSON.stringify([schema, table])
}

/** All that a reader depends on, as one string. */
function describeShape(message: RelationMessage, types: ReadonlyMap<number, DynamicType>): string {
  const columns = message.columns.map(({ name, typeOid }) => {
    const type = types.get(typeOid)
    return [name, typeOid, type?.schema, type?.name]
  })
  return JSON.stringify([message.schema, message.table, columns])
}

/** Creates an empty registry. */
export function createRelationRegistry(options: RelationRegistryOptions): RelationRegistry {
  const defaultSchema = options.defaultSchema ?? 'public'
  const modelByTable = new Map<string, ModelSpec>()
  for (const model of options.models) {
    modelByTable.set(qualify(model.schema ?? defaultSchema, model.table), model)
  }
  const entries = new Map<number, RelationEntry>()
  const shapes = new Map<number, string>()
  const types = new Map<number, DynamicType>()

  function describe(relation: RelationMessage): RelationEntry {
    const model = modelByTable.get(qualify(relation.schema, relation.table)) ?? null
    if (model === null) return { relation, model, reader: null, drift: null }
    const { layout, findings } = layOutRow(relation, model, options.catalog, types)
    return findings.length > 0
      ? { relation, model, reader: null, drift: createDriftError(relation, model, findings) }
      : { relation, model, reader: createRowReader(layout), drift: null }
  }

  return {
    update(message) {
      const known = entries.get(message.oid)
      const shape = describeShape(message, types)
      const isSame = known !== undefined && shapes.get(message.oid) === shape
      const entry = isSame ? { ...known, relation: message } : describe(message)
      entries.set(message.oid, entry)
      shapes.set(message.oid, shape)
      return entry
    },
    updateType(message) {
      types.set(message.oid, { schema: message.schema, name: message.name })
    },
    entryOf: (oid) => entries.get(oid),
    readerOf: (oid) => entries.get(oid)?.reader ?? null,
    get drifted() {
      return [...entries.values()].filter((entry) => entry.drift !== null)
    },
    clear() {
      entries.clear()
      shapes.clear()
      types.clear()
    },
  }
}
