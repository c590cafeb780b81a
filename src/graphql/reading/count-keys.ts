/**
 * Stage 7, graphql. How many rows have one of some keys, counted no further than to a bound: what decides whether reading
 * them together is cheap. Prisma's own `count` sorts what it counts; this stops at the bound.
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { schemaOfPrisma } from '../../source/connection-target.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import type { RelationKey, RelationLink } from './relation-link.ts'
import { isPassing } from './statement-gate.ts'

/** A statement with its parameters. */
interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** What is counted. */
interface Counting {
  readonly link: RelationLink
  readonly keys: readonly RelationKey[]
  readonly max: number
}

/** `Prisma.$queryRawUnsafe`: text and parameters apart. */
type QueryRaw = (text: string, ...values: readonly unknown[]) => Promise<unknown>

/**
 * At most `max + 1`; null where it cannot be counted. It is an estimate to go by: a policy's rows are not left out.
 * @throws what Prisma Client throws of a database that does not answer or a table that is locked: reading would fail as well
 */
export async function countKeys(
  client: PrismaClientLike,
  catalog: ModelCatalog,
  counting: Counting,
): Promise<number | null> {
  const queryRaw: unknown = Reflect.get(client, '$queryRawUnsafe')
  // Prisma names a schema in each statement of its own; what the role's search_path finds may be another tenant's.
  const schema = schemaOfPrisma(client)
  const statement = typeof queryRaw === 'function' ? statementOf(catalog, { ...counting, schema }) : null
  if (statement === null) return null
  try {
    const [row] = (await (queryRaw as QueryRaw).call(client, statement.text, ...statement.values)) as {
      readonly rows?: unknown
    }[]
    return typeof row?.rows === 'number' ? row.rows : null
  } catch (error) {
    if (isPassing(error)) throw error
    // Keys of a type that the driver sends otherwise, for example.
    return null
  }
}

function statementOf(
  catalog: ModelCatalog,
  { link, keys, max, schema }: Counting & { readonly schema: string | null },
): Statement | null {
  const found =
    link.to === null ? joinTableOf(catalog, link) : tableOf(catalog.models[link.relation.model], link.to)
  if (found === null) return null
  const values = keys.flatMap((key) => Object.values(key))
  const width = found.columns.length
  const tuples = keys.map(
    (_key, row) => `(${found.columns.map((_, column) => `$${row * width + column + 1}`).join()})`,
  )
  const columns = found.columns.map(quoteIdentifier).join()
  const inner = `SELECT 1 FROM ${nameOf(found.schema ?? schema, found.table)} WHERE (${columns}) IN (${tuples.join()}) LIMIT ${max + 1}`
  return { text: `SELECT count(*)::int AS rows FROM (${inner}) AS counted`, values }
}

interface Columns {
  readonly schema: string | null
  readonly table: string
  readonly columns: readonly string[]
}

function tableOf(model: ModelSpec | undefined, fields: readonly string[]): Columns | null {
  const columns = fields.map((name) => model?.fields.find((field) => field.name === name)?.column)
  if (model === undefined || columns.includes(undefined)) return null
  return { schema: model.schema, table: model.table, columns: columns as string[] }
}

function joinTableOf(catalog: ModelCatalog, { relation, parent, inverse }: RelationLink): Columns | null {
  const table = catalog.joinTables.find(({ relationName }) => relationName === relation.relationName)
  if (table === undefined) return null
  // Both ends in one model: Prisma's column A is the end whose name comes first.
  const isA = table.modelA === table.modelB ? relation.name < inverse : table.modelA === parent
  return { schema: table.schema, table: table.table, columns: [isA ? 'A' : 'B'] }
}

function nameOf(schema: string | null, table: string): string {
  return schema === null ? quoteIdentifier(table) : quoteQualified(schema, table)
}
