/** When two looks at a table have one stamp, and when its rows are for nobody else. */
import { expect, it } from 'vitest'
import { catalog, type ModelName } from '../../prisma/generated/rowcast.ts'
import { parseCatalog } from '../../src/catalog/parse-catalog.ts'
import { TableStamps } from '../../src/sets/table-stamps.ts'
import { openDatabase } from '../support/database.ts'
import { countStatements } from '../support/statement-counter.ts'

const { models } = parseCatalog(catalog)

async function openStamps() {
  const database = await openDatabase({ migrate: true })
  const counter = countStatements()
  const prisma = counter.createPrisma(database.url)
  const names = { schema: 'public', publication: 'seen' }
  const stamps = new TableStamps({ prisma, answerTimeoutMs: 10_000, names })
  return {
    ...{ database, counter },
    stampOf: (model: ModelName) => stamps.of(models[model]),
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect()
      await database[Symbol.asyncDispose]()
    },
  }
}

it.each(['FOR ALL TABLES', 'FOR TABLES IN SCHEMA public', 'FOR TABLE "Tag", "Post"'])(
  'is the same while nothing is altered that rows depend on: %s',
  async (what) => {
    await using opened = await openStamps()
    const { database, stampOf } = opened
    await database.query(`CREATE PUBLICATION seen ${what}`)
    const stamp = await stampOf('Tag')
    expect(stamp).toEqual(expect.any(String))
    for (const statement of [
      `INSERT INTO "Tag" (name) SELECT 'more ' || n FROM generate_series(1, 1000) AS n`,
      'VACUUM ANALYZE "Tag"',
      'CREATE INDEX ON "Tag" (color)',
      'ALTER TABLE "Post" ADD COLUMN more text',
    ]) {
      await database.query(statement)
      expect(await stampOf('Tag')).toBe(stamp)
    }
  },
)

it.each([
  'FOR TABLE "Post"',
  'FOR TABLES IN SCHEMA audit',
  'FOR TABLE "Tag" WHERE (id > 1)',
  `FOR ALL TABLES WITH (publish = 'insert')`,
])('is none where not all writes come: %s', async (what) => {
  await using opened = await openStamps()
  const { database, stampOf } = opened
  await database.query('CREATE SCHEMA IF NOT EXISTS audit')
  expect(await stampOf('Tag')).toBeNull()
  await database.query(`CREATE PUBLICATION seen ${what}`)
  expect(await stampOf('Tag')).toBeNull()
})

it('is none of a table whose rows stand in others that are not published with it', async () => {
  await using opened = await openStamps()
  const { database, stampOf } = opened
  await database.query('CREATE PUBLICATION seen FOR ALL TABLES')
  expect(await stampOf('Tag')).not.toBeNull()
  await database.query('CREATE TABLE below () INHERITS ("Tag")')
  expect(await stampOf('Tag')).toBeNull()
})

it('is another one when a label gets another name, and when rows are hidden', async () => {
  await using opened = await openStamps()
  const { database, stampOf } = opened
  await database.query('CREATE PUBLICATION seen FOR ALL TABLES')
  const seen = new Set([await stampOf('User')])
  for (const statement of [
    `ALTER TYPE user_role RENAME VALUE 'EDITOR' TO 'WRITER'`,
    'ALTER TABLE users ENABLE ROW LEVEL SECURITY',
    'ALTER TABLE users FORCE ROW LEVEL SECURITY',
  ]) {
    await database.query(statement)
    seen.add(await stampOf('User'))
  }
  expect(seen.size).toBe(4)
  expect(seen.has(null)).toBe(false)
})

it('is asked for by one statement after the other, whoever asks for whichever', async () => {
  await using opened = await openStamps()
  const { database, counter, stampOf } = opened
  await database.query('CREATE PUBLICATION seen FOR ALL TABLES')
  const before = counter.total
  const names = Array.from({ length: 1_000 }, (_, index): ModelName => (index % 2 === 0 ? 'Tag' : 'Post'))
  const found = await Promise.all(names.map(stampOf))
  expect(new Set(found).size).toBe(2)
  expect(found).not.toContain(null)
  expect(counter.total - before).toBeLessThanOrEqual(3)
})
