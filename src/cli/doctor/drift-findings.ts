/** Beside the spine, cli. Where the Prisma schema and the tables disagree. Pure. */
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { TableLoad } from './doctor-facts.ts'
import type { Examination, Finding } from './examination.ts'

/**
 * What PostgreSQL calls the types that Prisma maps a scalar to, native types included. String has all others: it shows
 * them as PostgreSQL prints them.
 */
const TYPE_NAMES: Readonly<Record<string, RegExp>> = {
  Int: /^(integer|smallint|oid)$/,
  BigInt: /^bigint$/,
  Float: /^(double precision|real)$/,
  Decimal: /^(numeric|money)$/,
  DateTime: /^(date$|time(stamp)? )/,
  Json: /^jsonb?$/,
  Bytes: /^bytea$/,
  Boolean: /^boolean$/,
}

/** Columns that are missing, of another type, or nullable where the schema counts on a value. */
export function driftFindings({ models, doctor, goal }: Examination): Finding[] {
  return models.flatMap((model) => {
    const wanted = goal.tables.find((table) => table.model === model.name)
    const load = doctor.tables.find(
      (table) => table.schema === wanted?.schema && table.table === wanted.table,
    )
    return load === undefined ? [] : model.fields.flatMap((field) => fieldDrift(model, field, load) ?? [])
  })
}

function fieldDrift(model: ModelSpec, field: FieldSpec, load: TableLoad): Finding | null {
  const place = `${quoteQualified(load.schema, load.table)}.${quoteIdentifier(field.column)}`
  const column = load.columns.find((each) => each.name === field.column)
  const mend =
    'Run the missing migration (`prisma migrate deploy`), or `prisma generate` if the schema is older.'
  const drift = (why: string): Finding => ({
    ...{ code: 'CATALOG_DRIFT', severity: 'error', model: model.name, why, mend },
  })
  if (column === undefined) return drift(`${model.name}.${field.name} reads ${place}, which does not exist.`)
  if (field.kind === 'scalar' && !isType(field, column.type)) {
    return drift(`${model.name}.${field.name} is ${field.type}, and ${place} is ${column.type}.`)
  }
  if (field.isRequired && !field.isList && !column.isRequired) {
    return {
      ...{ code: 'NULLABLE_COLUMN', severity: 'warning', model: model.name },
      why: `${model.name}.${field.name} is required, but ${place} may be NULL: such a row is an error for its readers.`,
      mend: `Make the field optional, or run ALTER TABLE ${quoteQualified(load.schema, load.table)} ALTER COLUMN ${quoteIdentifier(field.column)} SET NOT NULL;`,
    }
  }
  return null
}

function isType({ type, isList }: FieldSpec, name: string): boolean {
  const element = isList ? name.replace(/\[\]$/, '') : name
  if (isList && !name.endsWith('[]')) return false
  // Types of extensions come with their schema where it is not in the search path.
  const plain = element.slice(element.lastIndexOf('.') + 1)
  if (type === 'String') return !Object.entries(TYPE_NAMES).some(([, names]) => names.test(plain))
  return TYPE_NAMES[type]?.test(plain) ?? true
}
