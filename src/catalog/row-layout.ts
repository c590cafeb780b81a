/**
 * Stage 3, catalog. A relation laid beside its model: for each column the field it fills and what reads it, and
 * where the two disagree.
 */
import { RowcastError } from '../errors.ts'
import type { RelationColumn, RelationMessage } from '../pgoutput/messages.ts'
import { type DynamicTypes, findColumnCodec } from './column-codec.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from './model-catalog.ts'
import type { ValueCodec } from './values/value-codec.ts'

/** A row object before its types are known: Prisma field name → value. */
export type AnyRow = Readonly<Record<string, unknown>>

/** A column that a field stands on. */
export interface ColumnPlan {
  readonly field: FieldSpec
  /** Index of the field in the row object: fields in the order of the Prisma schema. */
  readonly slot: number
  readonly codec: ValueCodec
}

/** What a row reader is compiled from. */
export interface RowLayout {
  readonly model: ModelSpec
  /** One for each column of the relation, in its order; null for columns that the model does not have. */
  readonly columns: readonly (ColumnPlan | null)[]
  /** Fields that the stream brings, in the order of the Prisma schema. */
  readonly fields: readonly string[]
  /** Fields whose column the publication leaves out; never in a row, always `unavailable`. */
  readonly missingFields: readonly string[]
  /** Whether the replica identity holds the whole primary key. */
  readonly isKeyLogged: boolean
  /** Whether every UPDATE and DELETE should bring the whole row before it: the model's table is to have REPLICA IDENTITY FULL. */
  readonly isOldExpected: boolean
}

/** One disagreement of database and Prisma schema. */
export interface DriftFinding {
  readonly kind: 'column-missing' | 'type-mismatch'
  readonly field: string
  readonly column: string
  /** What the database says; null where the column is missing. */
  readonly typeName: string | null
}

/** A layout that can be read, and what does not fit; with findings, rows must not be read. */
export interface LayoutResult {
  readonly layout: RowLayout
  readonly findings: readonly DriftFinding[]
}

function describeType(column: RelationColumn, types: DynamicTypes): string {
  const type = types.get(column.typeOid)
  return type === undefined ? `type ${column.typeOid}` : `${type.schema}.${type.name}`
}

/** What is known of a relation beside its columns. */
export interface KnownOfRelation {
  /** Types that the stream has described. @default none */
  readonly types?: DynamicTypes | undefined
  /**
   * Columns that the table has and the publication leaves out (a column list, generated columns). @default null: that is not
   * known, and a missing column of an optional field is taken for one of them
   */
  readonly unpublished?: ReadonlySet<string> | null | undefined
}

/** Lays out a relation's columns for a model. */
export function layOutRow(
  relation: Pick<RelationMessage, 'columns'>,
  model: ModelSpec,
  catalog: Pick<ModelCatalog, 'enums'>,
  { types = new Map(), unpublished = null }: KnownOfRelation = {},
): LayoutResult {
  const columnIndex = new Map(relation.columns.map((column, index) => [column.name, index]))
  const columns = new Array<ColumnPlan | null>(relation.columns.length).fill(null)
  const fields: string[] = []
  const missingFields: string[] = []
  const findings: DriftFinding[] = []
  for (const field of model.fields) {
    const index = columnIndex.get(field.column)
    const column = index === undefined ? undefined : relation.columns[index]
    if (index === undefined || column === undefined) {
      missingFields.push(field.name)
      const isLeftOut = unpublished === null ? !field.isRequired : unpublished.has(field.column)
      if (!isLeftOut) {
        findings.push({ kind: 'column-missing', field: field.name, column: field.column, typeName: null })
      }
      continue
    }
    const codec = findColumnCodec(field, column.typeOid, types, catalog.enums)
    if (codec === null) {
      const typeName = describeType(column, types)
      findings.push({ kind: 'type-mismatch', field: field.name, column: field.column, typeName })
      continue
    }
    columns[index] = { field, slot: fields.length, codec }
    fields.push(field.name)
  }
  const logged = new Set(relation.columns.filter((column) => column.isKey).map((column) => column.name))
  const isKeyLogged = model.primaryKey.every((name) =>
    logged.has(model.fields.find((field) => field.name === name)?.column ?? ''),
  )
  return {
    layout: { model, columns, fields, missingFields, isKeyLogged, isOldExpected: false },
    findings,
  }
}

function describeFinding(model: ModelSpec, finding: DriftFinding): string {
  const place = `field ${model.name}.${finding.field}, column "${finding.column}"`
  if (finding.kind === 'column-missing') return `${place}: the stream has no such column`
  const type = model.fields.find((field) => field.name === finding.field)
  return `${place}: ${finding.typeName} cannot be read as ${type?.type}${type?.isList ? '[]' : ''}`
}

/** The error that says how table and model disagree and what to run. */
export function createDriftError(
  relation: Pick<RelationMessage, 'schema' | 'table'>,
  model: ModelSpec,
  findings: readonly DriftFinding[],
): RowcastError {
  const [first] = findings
  const list = findings.map((finding) => describeFinding(model, finding)).join('; ')
  return new RowcastError(
    'CATALOG_DRIFT',
    `Table "${relation.schema}"."${relation.table}" is not what model ${model.name} says: ${list}.`,
    {
      details: {
        model: model.name,
        field: first?.field ?? null,
        column: first?.column ?? null,
        findings: findings.length,
      },
    },
  )
}

/** The table under a model has another name than the Prisma schema says. */
export function createRenameError(
  { schema, table }: RelationMessage,
  model: ModelSpec,
  defaultSchema: string,
): RowcastError {
  const happened = `Table "${model.schema ?? defaultSchema}"."${model.table}" of model ${model.name} is now called "${schema}"."${table}".`
  return new RowcastError('CATALOG_DRIFT', happened, {
    hint: `Rename it back, or follow in the Prisma schema (@@map("${table}")), run \`prisma generate\`, start again and call rowcast.enable().`,
    details: { model: model.name, schema, table },
  })
}
