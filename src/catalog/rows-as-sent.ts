/**
 * Stage 3, catalog. Rows that Prisma Client has read, as the stream brings the same rows: Json that is nested too deeply is an
 * `UnrepresentableValue` in both. Whoever copies, compares or writes rows that many share walks over them recursively: one such value of
 * one row would end what all of them have.
 */
import type { FieldSpec, ModelSpec } from './model-catalog.ts'
import type { AnyRow } from './row-layout.ts'
import { isValueDeeper, jsonTextOf } from './values/json-depth.ts'
import { UnrepresentableValue } from './values/unrepresentable-value.ts'

/** What makes them so of rows of the model; the rows themselves where all of them are so already. */
export function rowsAsSent({
  fields,
}: Pick<ModelSpec, 'fields'>): (rows: readonly AnyRow[]) => readonly AnyRow[] {
  const json = fields.filter(({ type }) => type === 'Json')
  return json.length === 0 ? (rows) => rows : (rows) => rows.map((row) => rowAsSent(row, json))
}

function rowAsSent(row: AnyRow, json: readonly FieldSpec[]): AnyRow {
  const deep = json.filter(({ name, isList }) => isTooDeep(row[name], isList))
  if (deep.length === 0) return row
  const values = deep.map(({ name, isList }) => [name, unrepresentable(row[name], isList)] as const)
  return { ...row, ...Object.fromEntries(values) }
}

/** Of a list each element by itself, as PostgreSQL sends them. */
function isTooDeep(value: unknown, isList: boolean): boolean {
  return isList && Array.isArray(value) ? value.some((each) => isValueDeeper(each)) : isValueDeeper(value)
}

function unrepresentable(value: unknown, isList: boolean): UnrepresentableValue {
  const text = (each: unknown) => (isValueDeeper(each) ? jsonTextOf(each) : each)
  return new UnrepresentableValue(
    'too-deep',
    isList && Array.isArray(value) ? value.map(text) : jsonTextOf(value),
  )
}
