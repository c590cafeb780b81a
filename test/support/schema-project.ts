/**
 * A project of a schema of its own: Prisma Client and catalog generated, a database with its tables, and rows in them made
 * by their types alone.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { ServicePrismaClient } from '../../src/config/config.ts'
import { invariant } from '../../src/errors.ts'
import { quoteIdentifier, quoteQualified } from '../../src/wire/quote.ts'
import { runNode } from '../generator/prisma-generate.ts'
import type { TestDatabase } from './database.ts'

const GENERATED = join(import.meta.dirname, '../generated/schemas')

/** What was generated of a schema. */
export interface SchemaProject {
  readonly catalog: ModelCatalog
  createPrisma(databaseUrl: string, options?: object): ServicePrismaClient
}

/** The head of a schema, whose generators write into the project's folder. */
const headOf = (schemas: string) => `datasource db {
  provider = "postgresql"
  ${schemas}
}

generator client {
  provider            = "prisma-client"
  output              = "../client"
  runtime             = "nodejs"
  moduleFormat        = "esm"
  importFileExtension = "ts"
  previewFeatures     = ["views"]
}

generator rowcast {
  provider = "node --import tsx src/generator/main.ts"
  output   = "../catalog.ts"
}
`

/** Generates from the `.prisma` files of a folder, or from one text. @param schemas PostgreSQL's, where there are several */
export async function generateSchemaProject(
  name: string,
  source: { readonly folder: string } | { readonly text: string },
  schemas: readonly string[] = [],
): Promise<SchemaProject> {
  const path = join(GENERATED, name)
  const named = schemas.length === 0 ? '' : `schemas = ${JSON.stringify(schemas)}`
  const files = [
    ...('text' in source ? [['models.prisma', source.text] as const] : await readSchemas(source.folder)),
    ['head.prisma', headOf(named)] as const,
  ]
  const stamp = JSON.stringify([files, await stampOf('src/generator'), await stampOf('node_modules/prisma')])
  const isFresh = (await readFile(join(path, 'stamp'), 'utf8').catch(() => '')) === stamp
  if (!isFresh) await generate(path, files, stamp)
  const { catalog } = await import(pathToFileURL(join(path, 'catalog.ts')).href)
  const { PrismaClient } = await import(pathToFileURL(join(path, 'client/client.ts')).href)
  return {
    catalog,
    createPrisma: (connectionString, options = {}) =>
      new PrismaClient({ adapter: new PrismaPg({ connectionString }), ...options }),
  }
}

type SchemaFile = readonly [name: string, text: string]

async function readSchemas(folder: string): Promise<readonly SchemaFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.prisma')).sort()
  return Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const))
}

/** When anything in the folder was last written. */
async function stampOf(folder: string): Promise<number> {
  const path = join(import.meta.dirname, '../..', folder)
  const files = await readdir(path)
  return Math.max(...(await Promise.all(files.map(async (name) => (await stat(join(path, name))).mtimeMs))))
}

async function generate(path: string, files: readonly SchemaFile[], stamp: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  const schema = join(path, 'schema')
  await mkdir(schema, { recursive: true })
  await Promise.all(files.map(([name, text]) => writeFile(join(schema, name), text)))
  const result = await runNode('node_modules/prisma/build/index.js', 'generate', '--schema', schema)
  invariant(result.status === 0 && existsSync(join(path, 'catalog.ts')), `prisma generate: ${result.output}`)
  await writeFile(join(path, 'stamp'), stamp)
}

/** A value of each type that Prisma's own columns have, by PostgreSQL's name of it. */
const VALUES: Readonly<Record<string, string>> = {
  ...{ text: "'text ☃'", varchar: "'v'", bpchar: "'ab'", citext: "'Citext'", uuid: 'gen_random_uuid()' },
  ...{
    int2: '7',
    int4: '7',
    int8: '7000000000',
    float4: '1.5',
    float8: '2.5',
    numeric: '12.5',
    bool: 'true',
  },
  ...{ timestamp: "'2026-11-23 08:15:30.123'", timestamptz: "'2026-11-23 08:15:30.123+01'" },
  ...{ date: "'2026-11-23'", time: "'08:15:30.123'", jsonb: `'{"a":[1,null]}'`, json: `'{"a":1}'` },
  ...{ bytea: "'\\x00ff'", point: "'(1,2)'", bit: "B'101'", inet: "'10.0.0.1'", oid: '7', money: '7' },
  ...{
    xml: "'<a/>'",
    timetz: "'08:15:30+01'",
    varbit: "B'101'",
    tsvector: "'a'",
    vector: "'[1]'",
    name: "'n'",
  },
}

/** Writes one row into the table of the model; foreign keys are not asked. @returns false where there is no such table */
export async function insertRow(
  database: TestDatabase,
  model: Pick<ModelSpec, 'schema' | 'table'>,
): Promise<boolean> {
  const schema = model.schema ?? 'public'
  const columns = await database.query<Column>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS "typeName", coalesce(base.typname, t.typname) AS type, t.typcategory = 'A' AS "isList",
            (SELECT enumlabel FROM pg_enum WHERE enumtypid = coalesce(base.oid, t.oid) ORDER BY enumsortorder LIMIT 1) AS label
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_type base ON base.oid = t.typelem AND t.typcategory = 'A'
      WHERE c.relkind IN ('r', 'p') AND c.relname = $1 AND c.relnamespace = to_regnamespace($2)
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''`,
    [model.table, quoteIdentifier(schema)],
  )
  if (columns.length === 0) return false
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  await database.query("SET session_replication_role = 'replica'")
  await database.query(
    `INSERT INTO ${quoteQualified(schema, model.table)} (${names}) SELECT ${columns.map(literalOf).join(', ')}`,
  )
  return true
}

interface Column {
  readonly name: string
  /** With its modifiers. */
  readonly typeName: string
  /** Of one value. */
  readonly type: string
  readonly isList: boolean
  /** The first of an enum. */
  readonly label: string | null
}

function literalOf({ type, typeName, isList, label }: Column): string {
  const value = label === null ? VALUES[type] : `'${label.replaceAll("'", "''")}'`
  invariant(value !== undefined, `Nothing is known of type ${type}.`)
  return `(${isList ? `ARRAY[${value}, ${value}]` : value})::${typeName}`
}
