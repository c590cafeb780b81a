/** Lists and totals, and transactions that are prepared: what these wrote is there from COMMIT PREPARED on, whatever was read in between. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase } from './support/database.ts'
import { openLiveRowcast } from './support/live-rowcast.ts'
import { openPostgres, type TestPostgres } from './support/postgres.ts'
import {
  FOLLOWED_MODELS,
  openShownList,
  queriedList,
  SHOWN_MODELS,
  schemaOver,
} from './support/shown-relations-oracle.ts'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await openPostgres({ settings: { max_prepared_transactions: 4 } })
})
afterAll(() => postgres?.[Symbol.asyncDispose]())

const ADA = '00000000-0000-4000-8000-00000000000a'
const LIST = {
  model: 'post',
  args: 'orderBy: [{ id: DESC }], take: 2',
  fields: 'id title tags { id name } comments { id body }',
} as const

it('come with their commit, to lists that were opened before and after they were prepared', async () => {
  await using database = await openDatabase({
    migrate: true,
    serverUrl: postgres.cluster.connectionString(),
  })
  await using live = await openLiveRowcast(database, { models: SHOWN_MODELS, followed: FOLLOWED_MODELS })
  const schema = schemaOver(live.rowcast, live.prisma)
  await database.query(`INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId") SELECT i, 'p', '${ADA}' FROM generate_series(1, 3) i`,
  )
  await database.query(`INSERT INTO "Tag" (id, name) VALUES (1, 'red'), (2, 'blue')`)
  const before = await openShownList(schema, 'editor', LIST)
  await before.next()
  const totals = live.rowcast.totals('Post', { max: ['id'] })
  const prepare = async (name: string, ...writes: readonly string[]) => {
    await database.query(`BEGIN; ${writes.join('; ')}; PREPARE TRANSACTION '${name}'`)
  }
  await prepare(
    'tagged',
    `INSERT INTO "_PostToTag" VALUES (3, 1)`,
    `UPDATE "Tag" SET color = '#000001' WHERE id = 1`,
  )
  await prepare('newer', `INSERT INTO "Post" (id, title, "authorId") VALUES (9, 'newer', '${ADA}')`)
  await prepare('said', `INSERT INTO "Comment" (id, "postId", body) VALUES (1, 3, 'said')`)
  // What commits meanwhile has later xids, and is read before them.
  await database.query(`INSERT INTO "_PostToTag" VALUES (3, 2)`)
  await database.query(`UPDATE "Post" SET title = 'changed' WHERE id = 2`)
  const after = await openShownList(schema, 'reader', LIST)
  const wanted = async () => {
    for (const [viewer, list] of [
      ['editor', before],
      ['reader', after],
    ] as const) {
      const rows = await queriedList(schema, viewer, LIST)
      await list.until(() => rows)
    }
  }
  await wanted()
  for (const name of ['newer', 'tagged', 'said']) {
    await database.query(`COMMIT PREPARED '${name}'`)
    await wanted()
  }
  expect(before.rows.map(({ id }) => Number(id))).toEqual([9, 3])
  expect(JSON.stringify(after.rows[1])).toContain('said')
  let { value } = await totals.next()
  while (value.count < 4) ({ value } = await totals.next())
  expect(value).toMatchObject({ count: 4, max: { id: 9 } })
  await totals.return?.()
  await prepare('dropped', `DELETE FROM "Post" WHERE id = 9`)
  await database.query(`ROLLBACK PREPARED 'dropped'`)
  await database.query(`UPDATE "Post" SET title = 'last' WHERE id = 9`)
  await wanted()
  await Promise.all([before.end(), after.end()])
})
