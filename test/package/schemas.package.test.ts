/**
 * The schemas of test/schemas by the commands of the documentation alone, from the packed tarball: `init`, `prisma generate`, `doctor`, `plan`,
 * its migration, `enable`, `serve`; then a row of each model as `tail` and a subscription have it, compared with Prisma Client.
 * Runs after `npm run build`; the registry must be reachable.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { postGraphql } from '../server/server-fixture.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { introspect, seenModels } from '../support/graphql-rows.ts'
import { createPackageStore, type PackageStore, type PackedProject, ROOT } from '../support/packed-project.ts'
import { insertRow } from '../support/schema-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

let store: PackageStore

beforeAll(async () => {
  const prisma = ['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`)
  store = await createPackageStore([...prisma, 'graphql@16', '@pothos/core', '@pothos/plugin-prisma'])
}, 300_000)
afterAll(() => store?.[Symbol.asyncDispose]())

interface Row {
  readonly name: string
  /** PostgreSQL's, where there are several. */
  readonly schemas?: readonly string[]
  /** How many models have changes. */
  readonly live: number
  /** What `doctor` finds beside what it finds everywhere. */
  readonly findings?: readonly string[]
  /** How many models `plan` leaves out. @default 0 */
  readonly skipped?: number
  /** Other files of the project. */
  readonly files?: Readonly<Record<string, string>>
  /** Where the migration is to be. @default in the folder of the schema, as Prisma has it */
  readonly migrations?: string
  /** Tables that get a row. @default all */
  readonly tables?: readonly string[]
}

const ROWS: readonly Row[] = [
  { name: 'odd-names', live: 10 },
  {
    ...{ name: 'keys-and-maps', live: 5, migrations: 'db/migrations' },
    files: {
      'package.json': '{ "private": true, "type": "module" }',
      'prisma.config.ts':
        "export default { schema: 'prisma/schema', migrations: { path: 'db/migrations' } }\n",
    },
  },
  { name: 'two-schemas', live: 3, schemas: ['auth', 'shop'] },
  { name: 'views', live: 1, skipped: 4, findings: ['SOURCE_TABLE_NOT_REPLICABLE'] },
  { name: 'secrets', live: 3 },
  { name: '300 models', live: 300, tables: ['Model0', 'Model150', 'Model299'] },
]

const headOf = (schemas: readonly string[] | undefined) => `datasource db {
  provider = "postgresql"
  ${schemas === undefined ? '' : `schemas = ${JSON.stringify(schemas)}`}
}

generator client {
  provider        = "prisma-client"
  output          = "${'../'.repeat(2)}generated/prisma"
  previewFeatures = ["views"]
}
`

/** What Prisma Client reads, in the form in which `tail --json` writes it. */
const PRISMA_ROWS = `import { createJiti } from 'jiti'
const jiti = createJiti(import.meta.url, { nativeModules: ['@prisma/client', '@prisma/client-runtime-utils', 'rowcast'] })
const { default: config } = await jiti.import('./rowcast.config.ts')
const prisma = config.createPrisma(process.env.DATABASE_URL)
function replace(name, value) {
  const raw = this[name]
  if (typeof raw === 'bigint') return raw.toString()
  return raw instanceof Uint8Array ? Buffer.from(raw).toString('base64') : value
}
const rows = {}
for (const name of process.argv.slice(2)) rows[name] = await prisma[name[0].toLowerCase() + name.slice(1)].findMany()
console.log(JSON.stringify(rows, replace))
process.exit()
`

async function filesOf({ name, schemas, files }: Row): Promise<Record<string, string>> {
  const models =
    name === '300 models'
      ? { 'schema.prisma': threeHundred().schema }
      : Object.fromEntries(
          await Promise.all(
            (await readdir(join(ROOT, 'test/schemas', name)))
              .filter((file) => file.endsWith('.prisma'))
              .map(async (file) => [file, await readFile(join(ROOT, 'test/schemas', name, file), 'utf8')]),
          ),
        )
  return {
    ...{ 'package.json': '{ "private": true }', 'rows.mjs': PRISMA_ROWS },
    ...{ 'prisma.config.ts': "export default { schema: 'prisma/schema' }\n" },
    ...{ 'prisma/schema/head.prisma': headOf(schemas) },
    ...Object.fromEntries(
      Object.entries(models).map(([file, text]) => [`prisma/schema/${file}`, String(text)]),
    ),
    ...files,
  }
}

function threeHundred() {
  const count = 300
  const indexes = Array.from({ length: count }, (_, index) => index)
  const model = (index: number) => `model Model${index} {
  id     Int      @id
  nextId Int
  text   String
  at     DateTime
  next   Model${(index + 1) % count}   @relation("r${index}", fields: [nextId], references: [id])
  before Model${(index + count - 1) % count}[] @relation("r${(index + count - 1) % count}")
}\n`
  const table = (index: number) =>
    `CREATE TABLE "Model${index}" (id int PRIMARY KEY, "nextId" int NOT NULL, text text NOT NULL, at timestamp(3) NOT NULL);`
  return { schema: indexes.map(model).join('\n'), sql: indexes.map(table).join('\n') }
}

/** A row in each table. */
async function insertRows(database: TestDatabase, { tables }: Row): Promise<void> {
  const found = await database.query<{ schema: string; table: string }>(
    `SELECT relnamespace::regnamespace::text AS schema, relname AS table FROM pg_class
      WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'`,
  )
  for (const each of found) {
    if (tables === undefined || tables.includes(each.table)) await insertRow(database, each)
  }
}

/** @returns the models of which a change came, as they are called in GraphQL; each is the row that a query has */
async function expectServed(project: PackedProject, database: TestDatabase, row: Row) {
  await using server = project.start('node', [ROWCAST, 'serve'])
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  const models = seenModels(await introspect(url))
  const isTried = ({ name }: { name: string }) => row.tables === undefined || row.tables.includes(name)
  const streams = await Promise.all(
    models.filter(isTried).map(async (model) => {
      const document = `subscription { ${model.changed} { new { ${model.selection} } } }`
      return { ...model, stream: await subscribeSse<Record<string, { new: object }>>(url, document) }
    }),
  )
  await insertRows(database, row)
  const live: string[] = []
  for (const { name, changed, many, selection, stream } of streams) {
    const { data, errors } = await stream.next()
    stream.unsubscribe()
    if (errors !== undefined) {
      // A view; a table that is not there.
      expect(['CATALOG_MODEL_NOT_REGISTERED', 'MODEL_UNAVAILABLE']).toContain(errors[0]?.extensions?.['code'])
      continue
    }
    const { body } = await postGraphql(url, `{ ${many} { ${selection} } }`)
    expect([name, body]).toEqual([name, { data: { [many]: [data?.[changed]?.new] } }])
    live.push(name)
  }
  return { models, live }
}

const ROWCAST = 'node_modules/rowcast/dist/cli/main.js'

it.each(ROWS)(
  '$name',
  async (row) => {
    await using database = await openDatabase()
    await database.query(
      row.name === '300 models'
        ? threeHundred().sql
        : await readFile(join(ROOT, 'test/schemas', row.name, 'tables.sql'), 'utf8'),
    )
    await using project = await store.open(await filesOf(row), { DATABASE_URL: database.url, PORT: '0' })
    const rowcast = async (...args: string[]) => (await project.run('node', [ROWCAST, ...args])).stdout
    expect(await rowcast('init')).toContain('  + generator rowcast {')
    await project.run('npx', ['prisma', 'generate'])
    const { findings } = JSON.parse(await rowcast('doctor', '--json')) as {
      findings: { code: string; severity: string }[]
    }
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...(row.findings ?? [])]))
    const { file, skipped } = JSON.parse(await rowcast('plan', '--json')) as {
      file: string
      skipped: readonly object[]
    }
    expect(skipped).toHaveLength(row.skipped ?? 0)
    expect(file).toMatch(
      new RegExp(`^${row.migrations ?? 'prisma/schema/migrations'}/\\d{14}_rowcast/migration\\.sql$`),
    )
    await database.query(await readFile(join(project.folder, file), 'utf8'))
    const enabled = JSON.parse(await rowcast('enable', '--json')) as { steps: { kind: string }[] }
    expect(enabled.steps.map(({ kind }) => kind)).toEqual(['slot'])

    const { models, live } = await expectServed(project, database, row)
    const tried = row.tables?.length ?? row.live
    expect(live).toHaveLength(tried)
    expect(models.length).toBeGreaterThanOrEqual(row.live)

    const lines = (await rowcast('tail', '--from', 'earliest', '--json', '--limit', String(tried)))
      .trim()
      .split('\n')
    const changes = lines.map((line) => JSON.parse(line) as { model: string; action: string; new: object })
    const { stdout } = await project.run('node', ['rows.mjs', ...changes.map(({ model }) => model)])
    const rows = Object.fromEntries(changes.map((change) => [change.model, [change.new]]))
    expect(rows).toEqual(JSON.parse(stdout))
    expect(Object.keys(rows)).toHaveLength(tried)
  },
  300_000,
)
