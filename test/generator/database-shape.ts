/** Tables as the catalog says they are, and as PostgreSQL says: two values to compare. */
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { invariant } from '../../src/errors.ts'
import type { TestDatabase } from '../support/database.ts'

/** One table; every list of keys is sorted. */
export interface TableShape {
  /** Column name → `type[] not null default`. */
  readonly columns: Readonly<Record<string, string>>
  /** `a, b` */
  readonly primaryKey: string
  readonly uniques: readonly string[]
  /** `a, b -> schema.table (c, d)` */
  readonly foreignKeys: readonly string[]
}

/** Tables and enums by `schema.name`. */
export interface DatabaseShape {
  readonly tables: Readonly<Record<string, TableShape>>
  readonly enums: Readonly<Record<string, readonly string[]>>
}

/** Prisma schema reference, "PostgreSQL" in each scalar type's table of default and native types. */
const TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Float: 'double precision',
  Decimal: 'numeric',
  DateTime: 'timestamp without time zone',
  Json: 'jsonb',
  Bytes: 'bytea',
  Boolean: 'boolean',
  '@Uuid': 'uuid',
  '@VarChar': 'character varying',
  '@Char': 'character',
  '@Decimal': 'numeric',
  '@Timestamptz': 'timestamp with time zone',
  '@Date': 'date',
}

/** What the catalog says. */
export function catalogShape(catalog: ModelCatalog): DatabaseShape {
  const joinTables = catalog.joinTables.map(({ schema, table, modelA, modelB }) => {
    const [a, b] = [modelOf(catalog, modelA), modelOf(catalog, modelB)]
    const shape: TableShape = {
      columns: { A: keyColumn(catalog, a), B: keyColumn(catalog, b) },
      primaryKey: 'A, B',
      uniques: [],
      foreignKeys: [
        `A -> ${tableName(a)} (${columns(a, a.primaryKey)})`,
        `B -> ${tableName(b)} (${columns(b, b.primaryKey)})`,
      ],
    }
    return [`${schema}.${table}`, shape] as const
  })
  const tables = Object.values(catalog.models).map(
    (model) => [tableName(model), modelShape(catalog, model)] as const,
  )
  return {
    tables: Object.fromEntries([...tables, ...joinTables]),
    enums: Object.fromEntries(
      Object.values(catalog.enums).map(({ schema, dbName, values }) => [
        `${schema}.${dbName}`,
        values.map((value) => value.label),
      ]),
    ),
  }
}

function modelOf(catalog: ModelCatalog, name: string): ModelSpec {
  const model = catalog.models[name]
  invariant(model !== undefined, `The catalog has no model ${name}.`)
  return model
}

function modelShape(catalog: ModelCatalog, model: ModelSpec): TableShape {
  return {
    columns: Object.fromEntries(model.fields.map((field) => [field.column, columnText(catalog, field)])),
    primaryKey: columns(model, model.primaryKey),
    uniques: model.uniques.map((fields) => columns(model, fields)).sort(),
    foreignKeys: model.relations
      .filter((relation) => relation.fields.length > 0)
      .map((relation) => {
        const other = modelOf(catalog, relation.model)
        return `${columns(model, relation.fields)} -> ${tableName(other)} (${columns(other, relation.references)})`
      })
      .sort(),
  }
}

function tableName(model: ModelSpec): string {
  return `${model.schema}.${model.table}`
}

function columns(model: ModelSpec, fields: readonly string[]): string {
  return fields.map((name) => model.fields.find((field) => field.name === name)?.column).join(', ')
}

function columnText(catalog: ModelCatalog, field: FieldSpec): string {
  // Prisma leaves list columns nullable, and reads NULL as an empty list.
  const isNotNull = field.isRequired && !field.isList
  const list = field.isList ? '[]' : ''
  return `${typeText(catalog, field)}${list}${isNotNull ? ' not null' : ''}${field.hasDefault ? ' default' : ''}`
}

function typeText(catalog: ModelCatalog, field: FieldSpec): string {
  if (field.kind === 'enum')
    return `${catalog.enums[field.type]?.schema}.${catalog.enums[field.type]?.dbName}`
  const type = TYPES[field.nativeType === null ? field.type : `@${field.nativeType}`]
  invariant(type !== undefined, `No PostgreSQL type is known for ${field.type} @db.${field.nativeType}.`)
  return type
}

function keyColumn(catalog: ModelCatalog, model: ModelSpec): string {
  const field = model.fields.find((candidate) => candidate.name === model.primaryKey[0])
  invariant(field !== undefined, `${model.name} has no key.`)
  return `${typeText(catalog, field)} not null`
}

const COLUMNS_SQL = `
  SELECT n.nspname || '.' || c.relname AS "table", a.attname AS "column",
         CASE WHEN t.typtype = 'e' THEN tn.nspname || '.' || t.typname ELSE format_type(t.oid, NULL) END
           || CASE WHEN t.oid <> a.atttypid THEN '[]' ELSE '' END
           || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
           || CASE WHEN a.atthasdef THEN ' default' ELSE '' END AS "text"
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type own ON own.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE WHEN own.typcategory = 'A' THEN own.typelem ELSE own.oid END
    JOIN pg_namespace tn ON tn.oid = t.typnamespace
   WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relname <> '_prisma_migrations'
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`

/** Names of the columns of a key, in the key's order. */
const COLUMNS_OF_SQL = `
  CREATE FUNCTION pg_temp.columns_of(relation oid, numbers int2[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(a.attname, ', ' ORDER BY k.place)
      FROM unnest(numbers) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.attnum $$`

/** A unique index counts as a unique key: it is what Prisma makes. */
const KEYS_SQL = `
  SELECT n.nspname || '.' || c.relname AS "table", i.indisprimary AS "isPrimary",
         pg_temp.columns_of(i.indrelid, i.indkey::int2[]) AS "columns"
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE i.indisunique`

const FOREIGN_KEYS_SQL = `
  SELECT n.nspname || '.' || c.relname AS "table", pg_temp.columns_of(f.conrelid, f.conkey) || ' -> ' || fn.nspname || '.'
           || fc.relname || ' (' || pg_temp.columns_of(f.confrelid, f.confkey) || ')' AS "text"
    FROM pg_constraint f
    JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class fc ON fc.oid = f.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
   WHERE f.contype = 'f'`

const ENUMS_SQL = `
  SELECT n.nspname || '.' || t.typname AS "name", array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS "labels"
    FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
   GROUP BY 1`

/** What PostgreSQL says. */
export async function databaseShape(database: TestDatabase): Promise<DatabaseShape> {
  await database.query(COLUMNS_OF_SQL)
  const columnRows = await database.query<{ table: string; column: string; text: string }>(COLUMNS_SQL)
  const keyRows = await database.query<{ table: string; isPrimary: boolean; columns: string }>(KEYS_SQL)
  const foreignRows = await database.query<{ table: string; text: string }>(FOREIGN_KEYS_SQL)
  const enumRows = await database.query<{ name: string; labels: string[] }>(ENUMS_SQL)

  function tableShape(table: string): TableShape {
    const isOfTable = (row: { readonly table: string }): boolean => row.table === table
    const keys = keyRows.filter(isOfTable)
    return {
      columns: Object.fromEntries(columnRows.filter(isOfTable).map((row) => [row.column, row.text])),
      primaryKey: keys.find((key) => key.isPrimary)?.columns ?? '',
      uniques: keys
        .filter((key) => !key.isPrimary)
        .map((key) => key.columns)
        .sort(),
      foreignKeys: foreignRows
        .filter(isOfTable)
        .map((row) => row.text)
        .sort(),
    }
  }

  const tables = new Set(columnRows.map((row) => row.table))
  return {
    tables: Object.fromEntries([...tables].map((table) => [table, tableShape(table)])),
    enums: Object.fromEntries(enumRows.map((row) => [row.name, row.labels])),
  }
}
