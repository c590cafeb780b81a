/** Clients that come one after the other, and ask for the same rows: the database is asked once for many of them, as long as nothing of these is written. */
import { expect, it } from 'vitest'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
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

async function openTags() {
  const database = await openDatabase({ migrate: true })
  await database.query(`TRUNCATE "Tag" RESTART IDENTITY CASCADE`)
  await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, ${TAGS}) AS n`)
  const counter = countStatements()
  const prisma = counter.createPrisma(database.url)
  const live = await openLiveRowcast(database, { models: ['Tag'], prisma })
  return {
    ...{ database, counter, rowcast: live.rowcast },
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
