/** Clients that come one after the other, and ask for the same rows: the database is asked once for many of them, as long as nothing of these is written. */
import { describe, expect, it } from 'vitest'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { countStatements } from '../support/statement-counter.ts'

const CLIENTS = 60
const AUDIENCES = 50
const TAGS = 20

/** The names of the tags up to READY, in the order of their keys: each is given once. */
async function namesNow(rowcast: Rowcast<RowcastModels>, where: { id?: { lte: number } } = {}) {
  const names: string[] = []
  for await (const event of rowcast.subscribe('Tag', { initial: true, where })) {
    if (event.action === 'READY') break
    if (event.action !== 'READ' || event.new === null || event.transition !== 'ENTERED')
      throw new Error(`${event.action} before READY, of a row that is gone or was given before.`)
    names.push(event.new.name)
  }
  return names
}

/** Whoever asks again where rowcast says so. */
async function namesInTheEnd(rowcast: Rowcast<RowcastModels>): Promise<string[]> {
  for (;;) {
    try {
      return await namesNow(rowcast)
    } catch (error) {
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
    }
  }
}

async function openTags(before: readonly string[] = []) {
  const database = await openDatabase({ migrate: true })
  for (const statement of before) await database.query(statement)
  await database.query(`TRUNCATE "Tag" RESTART IDENTITY CASCADE`)
  await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, ${TAGS}) AS n`)
  const counter = countStatements()
  const prisma = counter.createPrisma(database.url)
  const live = await openLiveRowcast(database, { models: ['Tag'], prisma })
  return {
    ...{ database, counter, prisma, rowcast: live.rowcast },
    async [Symbol.asyncDispose]() {
      await live[Symbol.asyncDispose]()
      await prisma.$disconnect()
      await database[Symbol.asyncDispose]()
    },
  }
}

it('who comes one after the other, without a write of the model, is given what was read for the first', async () => {
  await using tags = await openTags()
  const { database, counter, rowcast } = tags
  for (let client = 0; client < CLIENTS; client += 1) {
    // Of another model.
    if (client % 10 === 0)
      await database.query('INSERT INTO "Team" (slug, name) VALUES ($1, $1)', [`${client}`])
    expect(await namesNow(rowcast)).toHaveLength(TAGS)
  }
  expect(counter.readsOf('Tag')).toBeGreaterThan(0)
  expect(counter.readsOf('Tag')).toBeLessThanOrEqual(CLIENTS / 3)
})

it('whoever comes behind a write has what was committed before, and nothing that is gone', async () => {
  await using tags = await openTags()
  const { database, rowcast } = tags
  for (let client = 0; client < CLIENTS; client += 1) {
    const id = 1 + (client % TAGS)
    if (client % 4 === 0)
      await database.query('UPDATE "Tag" SET name = $2 WHERE id = $1', [id, `by ${client}`])
    if (client % 4 === 1) await database.query('DELETE FROM "Tag" WHERE id = $1', [id])
    if (client % 4 === 2)
      await database.query('INSERT INTO "Tag" (id, name) VALUES ($1, $2)', [100 + client, `of ${client}`])
    const found = await database.query('SELECT name FROM "Tag" ORDER BY id')
    expect(await namesNow(rowcast)).toEqual(found.map(({ name }) => name))
  }
})

it('each audience has a read of its own', async () => {
  await using tags = await openTags()
  const { database, counter, rowcast } = tags
  await database.query(
    `INSERT INTO "Tag" (id, name) SELECT n, 'tag ' || n FROM generate_series(100, 129) AS n`,
  )
  for (let round = 0; round < 4; round += 1) {
    const found = await Promise.all(
      Array.from({ length: AUDIENCES }, (_, audience) => namesNow(rowcast, { id: { lte: audience % 25 } })),
    )
    for (const [audience, names] of found.entries()) expect(names).toHaveLength(Math.min(TAGS, audience % 25))
  }
  expect(counter.readsOf('Tag')).toBeLessThanOrEqual(AUDIENCES)
})

it('who comes after a TRUNCATE has what was written since', async () => {
  await using tags = await openTags()
  const { database, rowcast } = tags
  for (let round = 0; round < 10; round += 1) {
    expect(await namesNow(rowcast)).toHaveLength(round === 0 ? TAGS : 1)
    await database.query('TRUNCATE "Tag" CASCADE')
    await database.query('INSERT INTO "Tag" (id, name) VALUES (1, $1)', [`after ${round}`])
    expect(await namesNow(rowcast)).toEqual([`after ${round}`])
  }
})

/** Tables in which the rows of `Tag` are others, without a change of any. */
const PARTITIONED = [
  'DROP TABLE "Tag" CASCADE',
  'CREATE TABLE "Tag" (id serial PRIMARY KEY, name varchar(60) NOT NULL, color char(7)) PARTITION BY RANGE (id)',
  'CREATE TABLE tags_low PARTITION OF "Tag" FOR VALUES FROM (1) TO (1000)',
  'CREATE TABLE tags_high PARTITION OF "Tag" FOR VALUES FROM (1000) TO (2000)',
]
const ALTERED: Readonly<Record<string, { before?: readonly string[]; statements: readonly string[] }>> = {
  'a type is changed with USING': {
    statements: [`ALTER TABLE "Tag" ALTER COLUMN name TYPE varchar(60) USING 'altered ' || name`],
  },
  'a column is dropped and made again': {
    statements: [
      `ALTER TABLE "Tag" DROP COLUMN name, ADD COLUMN name varchar(60) NOT NULL DEFAULT 'made again'`,
    ],
  },
  'two columns change their names': {
    before: [`ALTER TABLE "Tag" ADD COLUMN other varchar(60) NOT NULL DEFAULT 'other'`],
    statements: [
      'BEGIN',
      'ALTER TABLE "Tag" RENAME COLUMN name TO third',
      'ALTER TABLE "Tag" RENAME COLUMN other TO name',
      'COMMIT',
    ],
  },
  'another table is swapped in': {
    before: [
      'CREATE TABLE "Other" (LIKE "Tag" INCLUDING ALL)',
      `INSERT INTO "Other" (id, name) VALUES (7, 'swapped in')`,
    ],
    statements: [
      'BEGIN',
      'ALTER TABLE "Tag" RENAME TO "Third"',
      'ALTER TABLE "Other" RENAME TO "Tag"',
      'COMMIT',
    ],
  },
  'it is emptied': { statements: ['TRUNCATE "Tag" CASCADE'] },
  'it is emptied and nobody is to hear of it': {
    statements: [
      "ALTER PUBLICATION rowcast SET (publish = 'insert, update, delete')",
      'TRUNCATE "Tag" CASCADE',
    ],
  },
  'a partition is detached': {
    before: PARTITIONED,
    statements: ['ALTER TABLE "Tag" DETACH PARTITION tags_low'],
  },
  'a partition is attached': {
    before: [
      ...PARTITIONED,
      'CREATE TABLE tags_more (LIKE "Tag" INCLUDING ALL)',
      `INSERT INTO tags_more (id, name) VALUES (2000, 'attached')`,
    ],
    statements: ['ALTER TABLE "Tag" ATTACH PARTITION tags_more FOR VALUES FROM (2000) TO (3000)'],
  },
  'a partition is emptied': { before: PARTITIONED, statements: ['TRUNCATE tags_low'] },
  'a row is written that another row filter leaves out': {
    statements: [
      'ALTER PUBLICATION rowcast SET TABLE "Tag" WHERE (id > 10)',
      `UPDATE "Tag" SET name = 'left out' WHERE id = 1`,
    ],
  },
  'a row is written while the table is not published': {
    statements: [
      'ALTER PUBLICATION rowcast DROP TABLE "Tag"',
      `UPDATE "Tag" SET name = 'not sent' WHERE id = 1`,
    ],
  },
}

describe.each(Object.entries(ALTERED))('where %s', (_, { before, statements }) => {
  it('whoever comes next has what findMany gives', async () => {
    await using tags = await openTags(before)
    const { database, prisma, rowcast } = tags
    const first = await namesInTheEnd(rowcast)
    expect(await namesInTheEnd(rowcast)).toEqual(first)
    for (const statement of statements) {
      await database.query(statement)
      // Somebody comes at every moment.
      if (statement.startsWith('ALTER PUBLICATION')) await namesInTheEnd(rowcast)
    }
    const shown = await namesInTheEnd(rowcast)
    const found = await prisma.tag.findMany({ orderBy: { id: 'asc' } })
    expect(shown).toEqual(found.map(({ name }) => name))
    expect(shown).not.toEqual(first)
  })
})

it('a thousand who come at once cost few statements', async () => {
  await using tags = await openTags()
  const { counter, rowcast } = tags
  const before = counter.total
  const found = await Promise.all(Array.from({ length: 1_000 }, () => namesNow(rowcast)))
  for (const names of found) expect(names).toHaveLength(TAGS)
  expect(counter.total - before).toBeLessThanOrEqual(50)
})
