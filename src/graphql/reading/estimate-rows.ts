/**
 * Stage 7, graphql. How many rows a statement would read and how many bytes they have, asked of PostgreSQL before they are
 * read: what decides whether reading them is cheap. Prisma's own `count` sorts what it counts; this stops at a bound.
 */
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { schemaOfPrisma } from '../../source/db/database-address.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import type { RelationKey, RelationLink } from './relation-link.ts'
import { weightOf } from './row-weights.ts'
import { isOfValue, isPassing } from './statement-gate.ts'

/** Which rows: those that a link leads to from the keys, those that have a unique key, or those of a page. */
export type RowSource =
  | { readonly link: RelationLink; readonly keys: readonly RelationKey[]; readonly max: number }
  | {
      readonly model: ModelSpec
      readonly keys: readonly RelationKey[]
      /** By a client: that a column does not take one of them says nothing of others. @default false */
      readonly areGiven?: boolean | undefined
    }
  | { readonly model: ModelSpec; readonly page: PlainPage }

/** A page that SQL says as Prisma does: rows with these values, in the order of their columns. */
export interface PlainPage {
  readonly equal: RelationKey
  readonly order: readonly string[]
  readonly take: number
  readonly skip: number
}

/** What would be read. */
export interface RowEstimate {
  /** Of the rows of a link at most `max + 1`. */
  readonly rows: number
  /** Of those rows; 0 where no field is weighed. */
  readonly bytes: number
}

/** `Prisma.$queryRawUnsafe` of one text and its parameters. */
type Ask = () => Promise<unknown>

/** Rows and bytes that are counted; PostgreSQL takes 65,535 parameters of a statement, Prisma half of them. */
const PARAMETERS_MAX = 16_000

/** Whether the client takes SQL. */
export function canAsk(client: PrismaClientLike): boolean {
  return typeof Reflect.get(client, '$queryRawUnsafe') === 'function'
}

/**
 * Null where it cannot be asked. It is an estimate to go by: a policy's rows are not left out of a link's.
 * @param fields those whose bytes count
 * @throws what Prisma Client throws of a database that does not answer or a table that is locked: reading would fail as well;
 * and of a key that a client gave and its column does not take
 */
export async function estimateRows(
  client: PrismaClientLike,
  catalog: ModelCatalog,
  source: RowSource,
  fields: readonly FieldSpec[],
): Promise<RowEstimate | null> {
  const queryRaw: unknown = Reflect.get(client, '$queryRawUnsafe')
  if (typeof queryRaw !== 'function') return null
  // Prisma names a schema in each statement of its own; what the role's search_path finds may be another tenant's.
  const schema = schemaOfPrisma(client)
  let [rows, bytes] = [0, 0]
  for (const part of partsOf(source)) {
    const parameters = new Parameters()
    const inner = selectionOf(catalog, part, { fields, schema, parameters })
    if (inner === null) return null
    const text = `SELECT count(*)::int AS rows, coalesce(sum(bytes), 0)::float8 AS bytes FROM (${inner}) AS counted`
    const isThrown = 'areGiven' in part && part.areGiven === true ? isOfValue : () => false
    const found = await ask(queryRaw.bind(client, text, ...parameters.values) as Ask, isThrown)
    if (found === null) return null
    rows += found.rows
    bytes += found.bytes
  }
  return { rows, bytes }
}

async function ask(queryRaw: Ask, isThrown: (error: unknown) => boolean): Promise<RowEstimate | null> {
  try {
    const [row] = (await queryRaw()) as Partial<Record<'rows' | 'bytes', unknown>>[]
    return typeof row?.rows === 'number' ? { rows: row.rows, bytes: Number(row.bytes) } : null
  } catch (error) {
    if (isPassing(error) || isThrown(error)) throw error
    // Keys of a type that the driver sends otherwise, for example.
    return null
  }
}

/** Many keys as several statements; those of a link are few. */
function partsOf(source: RowSource): readonly RowSource[] {
  if (!('keys' in source) || 'link' in source) return [source]
  const width = Object.keys(source.keys[0] ?? {}).length
  const size = Math.max(1, Math.floor(PARAMETERS_MAX / Math.max(1, width)))
  return Array.from({ length: Math.ceil(source.keys.length / size) }, (_, part) => ({
    ...source,
    keys: source.keys.slice(part * size, (part + 1) * size),
  }))
}

/** The values of a statement, numbered as they are named. */
class Parameters {
  readonly values: unknown[] = []

  add(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  tuples(keys: readonly RelationKey[]): string {
    return keys.map((key) => `(${Object.values(key).map((value) => this.add(value))})`).join()
  }
}

interface Selecting {
  readonly fields: readonly FieldSpec[]
  readonly schema: string | null
  readonly parameters: Parameters
}

/** The rows' bytes, one row each; null where a column is not known. */
function selectionOf(catalog: ModelCatalog, source: RowSource, selecting: Selecting): string | null {
  if ('link' in source) return linkSelection(catalog, source, selecting)
  const { model } = source
  const { fields, schema, parameters } = selecting
  const from = `SELECT ${weightOf(model, fields, 't')} AS bytes FROM ${nameOf(model.schema ?? schema, model.table)} AS t`
  if ('keys' in source) {
    const columns = columnsOf(model, Object.keys(source.keys[0] ?? {}))
    return columns && `${from} WHERE (${named('t', columns)}) IN (${parameters.tuples(source.keys)})`
  }
  const { equal, order, take, skip } = source.page
  const [given, sorted] = [columnsOf(model, Object.keys(equal)), columnsOf(model, order)]
  if (given === null || sorted === null) return null
  const values = Object.values(equal)
  const conditions = given.map(
    (column, index) => `t.${quoteIdentifier(column)} = ${parameters.add(values[index])}`,
  )
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const by = sorted.length === 0 ? '' : ` ORDER BY ${named('t', sorted)}`
  return `${from}${where}${by} LIMIT ${parameters.add(take)}::int OFFSET ${parameters.add(skip)}::int`
}

function linkSelection(
  catalog: ModelCatalog,
  { link, keys, max }: Extract<RowSource, { readonly link: RelationLink }>,
  { fields, schema, parameters }: Selecting,
): string | null {
  const target = catalog.models[link.relation.model]
  if (target === undefined) return null
  const bytes = fields.length === 0 ? '0' : weightOf(target, fields, 't')
  const table = nameOf(target.schema ?? schema, target.table)
  if (link.to !== null) {
    const columns = columnsOf(target, link.to)
    if (columns === null) return null
    return `SELECT ${bytes} AS bytes FROM ${table} AS t WHERE (${named('t', columns)}) IN (${parameters.tuples(keys)}) LIMIT ${max + 1}`
  }
  const joined = joinTableOf(catalog, link)
  const key = columnsOf(target, target.primaryKey)
  if (joined === null || key === null) return null
  const join = fields.length === 0 ? '' : ` JOIN ${table} AS t ON (${named('t', key)}) = (j.${joined.theirs})`
  return `SELECT ${bytes} AS bytes FROM ${nameOf(joined.schema ?? schema, joined.table)} AS j${join} WHERE (j.${joined.ours}) IN (${parameters.tuples(keys)}) LIMIT ${max + 1}`
}

function columnsOf(model: ModelSpec, names: readonly string[]): readonly string[] | null {
  const columns = names.flatMap((name) => model.fields.find((field) => field.name === name)?.column ?? [])
  return columns.length === names.length ? columns : null
}

function named(table: string, columns: readonly string[]): string {
  return columns.map((column) => `${table}.${quoteIdentifier(column)}`).join()
}

/** The join table, its column for the keys that are known, and the one for the rows that are looked for. */
function joinTableOf(catalog: ModelCatalog, { relation, parent, inverse }: RelationLink) {
  const table = catalog.joinTables.find(({ relationName }) => relationName === relation.relationName)
  if (table === undefined) return null
  // Both ends in one model: Prisma's column A is the end whose name comes first.
  const isA = table.modelA === table.modelB ? relation.name < inverse : table.modelA === parent
  const [ours, theirs] = isA ? ['"A"', '"B"'] : ['"B"', '"A"']
  return { schema: table.schema, table: table.table, ours, theirs }
}

function nameOf(schema: string | null, table: string): string {
  return schema === null ? quoteIdentifier(table) : quoteQualified(schema, table)
}
