/** Live lists of GraphQL whose rows are shown with related ones, on a real PostgreSQL: a change of those patches the rows that have them. */
import { expect, it } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { createErrorMask } from '../../src/server/errors/mask-error.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import {
  FOLLOWED_MODELS,
  openShownList,
  playShownRelations,
  queriedList,
  SHOWN_LISTS,
  SHOWN_MODELS,
  schemaOver,
} from '../support/shown-relations-oracle.ts'

const LONG = process.env['ROWCAST_LONG'] !== undefined
const SEEDS = process.env['ROWCAST_TEST_SEED']?.split(',').map(Number) ?? [1, 2]
const MODELS = ['User', 'Post', 'Comment'] as const
const WORLD = { models: SHOWN_MODELS, followed: FOLLOWED_MODELS } as const
const ADA = '00000000-0000-4000-8000-00000000000a'

it.each(SEEDS)(
  'are what the query gives once a transaction has come, for each viewer: seed %i',
  { timeout: 300_000 },
  async (seed) => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, WORLD)
    const patches = await playShownRelations({
      ...{ database, prisma: live.prisma, seed, transactions: LONG ? 2_000 : 40 },
      faceOf: () => live.rowcast,
    })
    expect([...patches].filter(([, count]) => count === 0)).toEqual([])
    expect([...patches.values()].reduce((sum, each) => sum + each, 0)).toBeGreaterThan(100)
  },
)

it('hear of what they show alone: of rows beyond them, and of rows that the viewer may not see, nothing', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: MODELS })
  await database.query(`INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'Ada')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId", "viewCount") SELECT i, 'p' || i, '${ADA}', 100 - i FROM generate_series(1, 60) i`,
  )
  const schema = schemaOver(live.rowcast, live.prisma)
  const list = {
    ...SHOWN_LISTS['byNumber'],
    model: 'post',
    args: 'orderBy: [{ viewCount: DESC }], take: 3',
    fields: 'id comments { id body }',
  } as const
  const [editor, reader] = [
    await openShownList(schema, 'editor', list),
    await openShownList(schema, 'reader', list),
  ]
  await Promise.all([editor.next(), reader.next()])
  const { reads } = live.rowcast.listCost()
  const comment = (id: number, post: number, body: string) =>
    database.query(`INSERT INTO "Comment" (id, "postId", body) VALUES (${id}, ${post}, '${body}')`)
  await comment(1, 50, 'far behind')
  await comment(2, 1, 'hidden')
  await comment(3, 2, 'seen')
  const wanted = await queriedList(schema, 'reader', list)
  await reader.until(() => wanted)
  expect(reader.patches).toHaveLength(1)
  expect(reader.patches[0]?.operations).toMatchObject([{ kind: 'UPDATE', index: 1, key: { rowId: '2' } }])
  const all = await queriedList(schema, 'editor', list)
  await editor.until(() => all)
  expect(editor.patches).toHaveLength(2)
  expect(live.rowcast.listCost().reads).toBe(reads)
  // Both parents of one that moves, in one patch; a hidden one that is moved is none of the reader's.
  await database.query(`UPDATE "Comment" SET "postId" = 3 WHERE id = 2`)
  await database.query(`UPDATE "Comment" SET "postId" = 1 WHERE id = 3`)
  const moved = await queriedList(schema, 'reader', list)
  await reader.until(() => moved)
  expect(reader.patches).toHaveLength(2)
  expect(reader.patches[1]?.operations?.map(({ kind, index }) => [kind, index])).toEqual([
    ['UPDATE', 0],
    ['UPDATE', 1],
  ])
  await Promise.all([editor.end(), reader.end()])
})

it('hear of join tables what they show alone, and read for nothing else', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, WORLD)
  await database.query(`INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'Ada')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId", "viewCount") SELECT i, 'p' || i, '${ADA}', 100 - i FROM generate_series(1, 60) i`,
  )
  await database.query(`INSERT INTO "Tag" (id, name) VALUES (1, 'red'), (2, 'hidden'), (3, 'unused')`)
  const schema = schemaOver(live.rowcast, live.prisma)
  const list = {
    model: 'post',
    args: 'orderBy: [{ viewCount: DESC }], take: 3',
    fields: 'id tags { id name }',
  } as const
  const editor = await openShownList(schema, 'editor', list)
  const reader = await openShownList(schema, 'reader', list)
  await Promise.all([editor.next(), reader.next()])
  const { reads } = live.rowcast.listCost()
  const write = (text: string) => database.query(text)
  const shown = async (viewer: string, client: typeof editor) => {
    const wanted = await queriedList(schema, viewer, list)
    await client.until(() => wanted)
  }
  // Of rows far behind, and of tags that no row of it has: the editor's list, who sees all tags, is not read.
  await write(`INSERT INTO "_PostToTag" VALUES (50, 1)`)
  await write(`UPDATE "Tag" SET color = '#000001' WHERE id = 3`)
  await write(`INSERT INTO "_PostToTag" VALUES (1, 2)`)
  await shown('editor', editor)
  expect(editor.patches).toHaveLength(1)
  expect(editor.patches[0]?.transaction).not.toBeNull()
  await write(`INSERT INTO "_PostToTag" VALUES (2, 1)`)
  await Promise.all([shown('editor', editor), shown('reader', reader)])
  expect(reader.patches).toHaveLength(1)
  expect(reader.patches[0]).toMatchObject({
    transaction: null,
    operations: [{ kind: 'UPDATE', index: 1, key: { rowId: '2' } }],
  })
  await write(`UPDATE "Tag" SET name = 'blue' WHERE id = 1`)
  await Promise.all([shown('editor', editor), shown('reader', reader)])
  await write(`DELETE FROM "Tag"`)
  await Promise.all([shown('editor', editor), shown('reader', reader)])
  expect(reader.patches.flatMap(({ operations = [] }) => operations.map(({ index }) => index))).toEqual([
    1, 1, 1,
  ])
  expect(editor.patches.flatMap(({ operations = [] }) => operations.map(({ index }) => index))).toEqual([
    0, 1, 1, 0, 1,
  ])
  // The editor's is read four times, the reader's, whose tags other rows decide about, at each write of tags.
  expect(live.rowcast.listCost().reads - reads).toBeLessThanOrEqual(4 + 5)
  await Promise.all([editor.end(), reader.end()])
})

it('are refused with to-many relations whose changes say nothing of the rows', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['User', 'Post', 'Tag'] })
  const schema = schemaOver(live.rowcast, live.prisma)
  const open = (fields: string) => openShownList(schema, 'editor', { model: 'post', args: 'take: 3', fields })
  await expect(open('id tags { name }')).rejects.toThrow(/join table.*GRAPHQL_BAD_ARGUMENT/)
  await expect(open('id comments { body }')).rejects.toThrow(/Comment is not live.*GRAPHQL_BAD_ARGUMENT/)
  const list = await open('id author { fullName } team { name }')
  await list.next()
  await list.end()
})

it('are refused without naming the models that a policy asks, where their changes do not come', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Post', 'Comment'] })
  const schema = schemaOver(live.rowcast, live.prisma)
  const open = (viewer: string) =>
    openShownList(schema, viewer, { model: 'post', args: 'take: 3', fields: 'id comments { body }' })
  const mask = createErrorMask({ logger: silentLogger, areSuggestionsHidden: false, locate: () => ({}) })
  const failure: unknown = await open('member').catch((error: unknown) => error)
  const [error] = Reflect.get(Object(failure), 'errors') ?? []
  // The log has the model, and what to do.
  expect(error).toMatchObject({ originalError: { code: 'POLICY_FAILED' } })
  expect(error.originalError.message).toMatch(
    /policy `rows` of Comment.*User is not live.*rowcast.register\('User'\)/s,
  )
  expect(JSON.stringify(mask.mask(error))).not.toContain('User')
  const list = await open('editor')
  await list.next()
  await list.end()
})

it('end where their rows show more related rows than are read with them', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, WORLD)
  await database.query(`INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId") VALUES (1, 'p', '${ADA}'), (2, 'q', '${ADA}')`,
  )
  await database.query(`INSERT INTO "Tag" (id, name) SELECT i, 't' || i FROM generate_series(1, 4000) i`)
  await database.query(
    `INSERT INTO "_PostToTag" SELECT p, i FROM generate_series(1, 2) p, generate_series(1, 4000) i`,
  )
  const { rowcast, prisma } = live
  const schema = schemaOver(rowcast, prisma)
  const open = (take: number) =>
    openShownList(schema, 'editor', {
      model: 'post',
      args: `take: ${take}`,
      fields: 'id tags(take: 1) { id }',
    })
  const list = await open(2)
  await expect(list.next()).rejects.toThrow(/more related rows of Tag/)
  await database.query(`DELETE FROM "_PostToTag" WHERE "A" = 2`)
  const smaller = await open(2)
  await smaller.next()
  await smaller.end()
})
