/**
 * Sets, between stages 6 and 7. Rows of the join table of an implicit many-to-many: Prisma Client has no delegate for it, so they are
 * asked for in SQL, by the same queries.
 */
import type { FieldSpec, ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import { invariant } from '../errors.ts'
import { quoteIdentifier, quoteQualified } from '../wire/quote.ts'

/** What takes SQL. */
export interface RawQueries {
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>
}

/** Types whose values Prisma Client gives for SQL as it gives them for a model. */
const SQL_TYPES: Readonly<Record<string, string>> = { Int: 'int4', BigInt: 'int8', String: 'text' }

/** Whether the keys of both ends are of such types. */
export function hasReadableKeys({ fields }: ModelSpec): boolean {
  return fields.every(({ kind, type }) => kind === 'scalar' && Object.hasOwn(SQL_TYPES, type))
}

interface PairQuery {
  readonly where?: Where | undefined
  readonly skip?: number | undefined
  readonly take?: number | undefined
}

/** By column, or in `AND` and `OR`. */
type Where = Readonly<Record<string, unknown>>

/** `findMany` of the table, in the order of its columns. Its schema is known. */
export function findPairs(
  session: RawQueries,
  model: ModelSpec,
): (query: object) => Promise<readonly AnyRow[]> {
  const table = quoteQualified(model.schema ?? '', model.table)
  const columns = model.fields.map(({ column }) => quoteIdentifier(column)).join()
  return ({ where = {}, skip = 0, take }: PairQuery) => {
    const values: unknown[] = []
    const text =
      `SELECT ${columns} FROM ${table} WHERE ${conditionOf(model, where, values)} ORDER BY ${columns} ` +
      `OFFSET ${skip} LIMIT ${take ?? 'ALL'}`
    return session.$queryRawUnsafe(text, ...values)
  }
}

function conditionOf(model: ModelSpec, where: Where, values: unknown[]): string {
  const parts = Object.entries(where).map(([name, given]) => {
    if (name === 'AND' || name === 'OR') {
      const each = (given as readonly Where[]).map((part) => conditionOf(model, part, values))
      return each.length === 0 ? String(name === 'AND') : `(${each.join(` ${name} `)})`
    }
    const field = model.fields.find((candidate) => candidate.name === name)
    invariant(field !== undefined, 'A join table is asked by its columns.')
    const list =
      typeof given === 'object' && given !== null ? (given as { readonly in?: unknown }).in : [given]
    values.push(arrayText(list as readonly unknown[]))
    return `${quoteIdentifier(field.column)} = ANY($${values.length}::text::${typeOf(field)}[])`
  })
  return parts.length === 0 ? 'true' : parts.join(' AND ')
}

function typeOf({ type, nativeType }: FieldSpec): string {
  return nativeType === 'Uuid' ? 'uuid' : (SQL_TYPES[type] ?? 'text')
}

/** PostgreSQL's text of an array. */
function arrayText(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value).replace(/["\\]/g, '\\$&')}"`).join()}}`
}
