/**
 * A row with Json that is nested as deeply as PostgreSQL stores it, among those that many share, on a real PostgreSQL: nothing that has the row ends,
 * or fails, for whoever walks over its values. It is what the stream makes of it: a value that cannot be shown.
 */
import { parse, subscribe } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { explainUnrepresentable } from '../../src/catalog/values/unrepresentable-value.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'
import {
  FOLLOWED_MODELS,
  openShownList,
  queriedList,
  SHOWN_MODELS,
  schemaOver,
} from '../support/shown-relations-oracle.ts'

const ADA = '00000000-0000-4000-8000-00000000000a'
const DEEP = 11_000

let database: TestDatabase
let live: LiveRowcast
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  live = await openLiveRowcast(database, { models: SHOWN_MODELS, followed: FOLLOWED_MODELS })
  await database.query(`INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'Ada')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId", layout) VALUES (1, 'plain', '${ADA}', '{}'),
      (2, 'deep', '${ADA}', (repeat('{"a":[', ${DEEP / 2}) || repeat(']}', ${DEEP / 2}))::jsonb)`,
  )
  await database.query(`INSERT INTO "Tag" (id, name) VALUES (1, 'red')`)
  await database.query(`INSERT INTO "_PostToTag" VALUES (1, 1), (2, 1)`)
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

it.each([
  ['of its own values alone', 'orderBy: [{ id: ASC }]'],
  [
    'that related rows decide about',
    'where: { author: { is: { isActive: { equals: true } } } }, orderBy: [{ id: ASC }]',
  ],
])('a list %s goes on', async (_name, args) => {
  const schema = schemaOver(live.rowcast, live.prisma)
  const list = { model: 'post', args, fields: 'id title' } as const
  const client = await openShownList(schema, 'editor', list)
  await client.next()
  for (const id of [1, 2, 1]) {
    await database.query(`UPDATE "Post" SET title = title || '!' WHERE id = ${id}`)
    const wanted = await queriedList(schema, 'editor', list)
    await client.until(() => wanted)
  }
  expect(client.rows).toHaveLength(2)
  await client.end()
})

it.each([
  ['a list that shows it', 'postList(orderBy: [{ id: ASC }])', 'Post', 'id layout'],
  ['a list of rows that show it', 'tagList', 'Tag', 'id posts { id layout }'],
])('%s has an error in place of the value, and goes on', async (_name, field, model, fields) => {
  const schema = schemaOver(live.rowcast, live.prisma)
  const document = parse(
    `subscription { list: ${field} { ... on ${model}ListSnapshot { rows { ${fields} } }
      ... on ${model}ListPatch { operations { kind row { ${fields} } } } } }`,
  )
  const events = await subscribe({ schema, document, contextValue: { viewer: 'editor' } })
  if (!(Symbol.asyncIterator in events)) throw new Error(JSON.stringify(events))
  const next = async () => {
    const { value } = await events.next()
    const codes = value?.errors?.map(({ extensions }) => extensions['code'])
    return { codes, data: value?.data as { readonly list: object } | null | undefined }
  }
  const first = await next()
  expect(first.codes).toEqual(['GRAPHQL_VALUE_UNREPRESENTABLE'])
  expect(first.data?.list).toHaveProperty('rows')
  await database.query(`UPDATE "Post" SET title = title || '?' WHERE id = 2`)
  const patch = await next()
  expect(patch.data?.list).toHaveProperty('operations.0.kind', 'UPDATE')
  await events.return?.()
})

it('first rows and lists of the library have what changes have', async () => {
  const { rowcast } = live
  const list = rowcast.list('Post', { orderBy: { id: 'asc' } })
  const { value: whole } = await list.next()
  const reasons = whole.rows.map(({ layout }: { layout: unknown }) => explainUnrepresentable(layout)?.reason)
  expect(reasons).toEqual([undefined, 'too-deep'])
  const rows = rowcast.subscribe('Post', { initial: true })
  const read: unknown[] = []
  for (;;) {
    const { value } = await rows.next()
    if (value.action === 'READY') break
    read.push(explainUnrepresentable(value.new?.layout)?.reason)
  }
  expect(read).toEqual(reasons)
  await database.query(`UPDATE "Post" SET title = title || '.' WHERE id = 2`)
  const { value: patch } = await list.next()
  expect(explainUnrepresentable(patch.operations[0].row.layout)?.reason).toBe('too-deep')
  const { value: change } = await rows.next()
  expect(explainUnrepresentable(change.new.layout)?.reason).toBe('too-deep')
  await Promise.all([list.return?.(), rows.return?.()])
})
