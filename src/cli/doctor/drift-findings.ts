/** Beside the spine, cli. Where the Prisma schema and the tables disagree. Pure. */
import { findColumnCodec } from '../../catalog/column-codec.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { ColumnFacts, TableLoad } from './doctor-facts.ts'
import type { Examination, Finding } from './examination.ts'

/** Columns that are missing, of another type, or nullable where the schema counts on a value. */
export function driftFindings({ models, doctor, goal, enums }: Examination): Finding[] {
  return models.flatMap((model) => {
    const wanted = goal.tables.find((table) => table.model === model.name)
    const load = doctor.tables.find(
      (table) => table.schema === wanted?.schema && table.table === wanted.table,
    )
    return load === undefined
      ? []
      : model.fields.flatMap((field) => fieldDrift({ model, field, load, enums }) ?? [])
  })
}

/** A field, and the table that it reads. */
interface ReadField {
  readonly model: ModelSpec
  readonly field: FieldSpec
  readonly load: TableLoad
  readonly enums: ModelCatalog['enums']
}

function fieldDrift({ model, field, load, enums }: ReadField): Finding | null {
  const place = `${quoteQualified(load.schema, load.table)}.${quoteIdentifier(field.column)}`
  const column = load.columns.find((each) => each.name === field.column)
  const hint =
    'Run the missing migration (`prisma migrate deploy`), or `prisma generate` if the schema is older.'
  const drift = (why: string): Finding => ({
    ...{ code: 'CATALOG_DRIFT', severity: 'error', model: model.name, why, hint },
  })
  if (column === undefined) return drift(`${model.name}.${field.name} reads ${place}, which does not exist.`)
  if (!isRead(field, column, enums)) {
    return drift(
      `${model.name}.${field.name} is ${field.type}${field.isList ? '[]' : ''}, and ${place} is ${column.type}.`,
    )
  }
  if (field.isRequired && !field.isList && !column.isRequired) {
    return {
      ...{ code: 'NULLABLE_COLUMN', severity: 'warning', model: model.name },
      why: `${model.name}.${field.name} is required, but ${place} may be NULL: such a row is an error for its readers.`,
      hint: `Make the field optional, or run ALTER TABLE ${quoteQualified(load.schema, load.table)} ALTER COLUMN ${quoteIdentifier(field.column)} SET NOT NULL;`,
    }
  }
  return null
}

/** Whether the stream's own reader would read it: domains, widened numbers and types of extensions included. */
function isRead(field: FieldSpec, { typeOid, base }: ColumnFacts, enums: ModelCatalog['enums']): boolean {
  return findColumnCodec(field, typeOid, new Map([[typeOid, base]]), enums) !== null
}
