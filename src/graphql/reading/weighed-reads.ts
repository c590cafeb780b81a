/**
 * Stage 7, graphql. Rows of one statement, read within the bytes that its operation and the process may hold: what they weigh is
 * asked before they are read, unless they are few.
 */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { uniqueFieldsOf } from '../../catalog/row-key.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { PlainPage, RowEstimate, RowSource } from './estimate-rows.ts'
import type { OperationReads } from './read-pool.ts'
import type { RelationKey } from './relation-link.ts'
import { bytesOf, heavyFields, LIGHT_BYTES } from './row-weights.ts'
import { FEW_ROWS, FEW_ROWS_BYTES } from './unique-reads.ts'

type Query = Readonly<Record<string, unknown>>

/** What reads a model's rows. */
export interface RowStatements {
  findMany(query: Query, reads: OperationReads): Promise<AnyRow[]>
  /** Null where it cannot be asked. */
  estimate(
    source: RowSource,
    fields: ReturnType<typeof heavyFields>,
    reads: OperationReads,
  ): Promise<RowEstimate | null>
  /** Whether `estimate` may know. */
  readonly isAskable: boolean
  /** Rows of a list without `take`. */
  readonly rowsMax: number | undefined
}

/**
 * `findMany`. Rows that grow after they were weighed are noticed when they have come.
 * @throws QUERY_OVER_LIMIT, QUERY_TOO_SLOW
 */
export async function readWeighed(
  statements: RowStatements,
  model: ModelSpec,
  query: Query,
  reads: OperationReads,
): Promise<AnyRow[]> {
  const bytes = await weigh(statements, model, query, reads)
  await reads.reserve(bytes)
  const rows = await statements.findMany(query, reads)
  reads.settle(bytesOf(rows), bytes)
  return rows
}

async function weigh(
  statements: RowStatements,
  model: ModelSpec,
  query: Query,
  reads: OperationReads,
): Promise<number> {
  const fields = heavyFields(model, query)
  const take = typeof query['take'] === 'number' ? Math.abs(query['take']) : statements.rowsMax
  if (take !== undefined && take <= FEW_ROWS) return FEW_ROWS_BYTES
  if (fields.length === 0) return Math.min(take ?? 0, ROWS_RESERVED_MAX) * model.fields.length * LIGHT_BYTES
  if (!statements.isAskable) return FEW_ROWS_BYTES
  const page = plainPageOf(model, query)
  const paged = page && (await statements.estimate({ model, page }, fields, reads))
  if (paged !== null) return paged.bytes
  const key = uniqueFieldsOf(model)
  // Rows of a view have no key to be asked by.
  if (key.length === 0) return FEW_ROWS_BYTES
  const { select: _select, include: _include, omit: _omit, ...which } = query
  const select = Object.fromEntries(key.map((name) => [name, true]))
  const keys = (await statements.findMany({ ...which, select }, reads)) as RelationKey[]
  if (keys.length <= FEW_ROWS) return FEW_ROWS_BYTES
  return (await statements.estimate({ model, keys }, fields, reads))?.bytes ?? FEW_ROWS_BYTES
}

/** Rows of small columns that are reserved for: a list without `take` seldom is as long as it may be. */
const ROWS_RESERVED_MAX = 200

/** The page as SQL can say it, with the same rows; null for any other query. */
function plainPageOf(model: ModelSpec, { where, orderBy, take, skip = 0, ...rest }: Query): PlainPage | null {
  if (rest['cursor'] !== undefined || rest['distinct'] !== undefined) return null
  if (!isCount(take) || !isCount(skip)) return null
  const equal = where === undefined ? {} : (where as Query)
  const isColumn = (name: string) => model.fields.some((field) => field.name === name && !field.isList)
  if (!Object.entries(equal).every(([name, value]) => isColumn(name) && isPlain(value))) return null
  const orders = [orderBy ?? []].flat().map((order) => Object.entries(Object(order)))
  const isAscending = orders.every(([first, ...more]) => more.length === 0 && first?.[1] === 'asc')
  const order = orders.flatMap(([first]) => first?.[0] ?? [])
  if (!isAscending || !order.every(isColumn)) return null
  return { equal, order, take, skip }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
}

function isPlain(value: unknown): boolean {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value) || value instanceof Date
}
