/** Stage 3, catalog. What distinguishes the rows of a model. Pure. */
import type { ModelSpec } from './model-catalog.ts'

/** The primary key, or the first unique one whose fields are never null; empty of a view without either. */
export function uniqueFieldsOf({
  primaryKey,
  uniques,
  fields,
}: Pick<ModelSpec, 'primaryKey' | 'uniques' | 'fields'>): readonly string[] {
  if (primaryKey.length > 0) return primaryKey
  const isRequired = (name: string) => fields.find((field) => field.name === name)?.isRequired === true
  return uniques.find((unique) => unique.every(isRequired)) ?? []
}

/** The primary key of a row, by the names of its fields. */
export function primaryKeyOf<Row extends Readonly<Record<string, unknown>>>(
  { primaryKey }: Pick<ModelSpec, 'primaryKey'>,
  row: Row,
): Record<string, Row[string]> {
  return Object.fromEntries(primaryKey.map((name) => [name, row[name] as Row[string]]))
}
