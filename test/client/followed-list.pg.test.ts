/** A list that the server keeps, followed over real servers: what the query gives, whatever happens to the connection and the server. */
import { expect, it } from 'vitest'
import { type FollowedList, followList } from '../../src/client/followed-list.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { overSse, overWebSocket } from '../support/change-clients.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const QUERY = `subscription { tagList(orderBy: [{ id: DESC }], take: 3) { totalCount cursor
  ... on TagListSnapshot { rows { id name } }
  ... on TagListPatch { operations { kind index key { rowId } row { id name } } } } }`
const PATIENCE = { timeout: 60_000, interval: 20 }

it('is what the query gives, through cut connections and a restart of the server', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  let running = await openService(database)
  const port = Number(new URL(running.url).port)
  await running.service.rowcast.ready()
  await using proxy = await openTcpProxy(port)
  const followed = [overWebSocket, overSse].map((connect) => {
    const client = connect(`http://127.0.0.1:${proxy.port}`)
    const list = followList<Tag>({ client, request: { query: QUERY }, key: 'id' })
    const statuses = new Set<string>()
    list.listen(() => statuses.add(list.state.status))
    return { client, list, statuses }
  })
  const agree = async () => {
    const rows = await database.query<Tag>('SELECT id, name FROM "Tag" ORDER BY id DESC')
    const wanted = {
      rows: rows.slice(0, 3).map(({ id, name }) => ({ id: String(id), name })),
      ...{ totalCount: rows.length, status: 'live', error: null },
    }
    for (const { list } of followed) await expect.poll(() => list.state, PATIENCE).toEqual(wanted)
  }
  for (let i = 0; i < 8; i += 1) {
    await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [`tag ${i}`])
    if (i % 2 === 0) await database.query(`UPDATE "Tag" SET name = name || '!' WHERE id % 3 = ${i % 3}`)
    if (i % 3 === 2) await database.query('DELETE FROM "Tag" WHERE name LIKE $1', [`tag ${i - 1}%`])
    if (i === 3) proxy.cut()
    if (i !== 4) await agree()
  }
  await running[Symbol.asyncDispose]()
  await database.query(`INSERT INTO "Tag" (name) VALUES ('while nobody was there')`)
  running = await openService(database, { port })
  await agree()
  await database.query(`DELETE FROM "Tag" WHERE name LIKE 'while%'`)
  await agree()
  for (const { client, list, statuses } of followed) {
    expect([...statuses].sort()).toEqual(['live', 'reconnecting'])
    list.stop()
    await client.dispose()
  }
  await running[Symbol.asyncDispose]()
})

/** What the list showed, one picture after the other. */
function watch(list: FollowedList<Tag>): readonly (readonly string[])[] {
  const pictures: string[][] = []
  list.listen(() => pictures.push(list.state.rows.map(({ name }) => name)))
  return pictures
}

/** From the picture on that has it first, each has it, and has it once. */
function expectOnce(pictures: readonly (readonly string[])[], name: string): void {
  const counts = pictures.map((names) => names.filter((each) => each === name).length)
  const [first, ...others] = counts.slice(counts.findIndex((count) => count > 0))
  expect([name, first, others.filter((count) => count !== 1)]).toEqual([name, 1, []])
}

it('shows own rows before they have come, once, and knows when they have, whatever others write and however long patches wait', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: {
      models: { Tag: {}, Post: {}, User: {} },
      ...{ public: true, showMetadata: { fields: () => ['mutationId'] } },
    },
  })
  await running.service.rowcast.ready()
  const client = overWebSocket(running.url)
  const follow = (args: string, transactions: string) =>
    followList<Tag>({
      request: {
        query: `subscription { tagList(${args}) { cursor transactions { ${transactions} }
          ... on TagListSnapshot { rows { id name } }
          ... on TagListPatch { operations { kind index key { rowId } row { id name } } } } }`,
      },
      ...{ client, key: 'id' },
    })
  const lists = [
    follow('orderBy: [{ id: ASC }]', 'metadata { mutationId }'),
    follow('orderBy: [{ id: ASC }], every: 60', 'metadata { mutationId }'),
    follow('orderBy: [{ name: ASC }], every: 30', 'xid'),
  ]
  const watched = lists.map((list) => ({ list, pictures: watch(list) }))
  for (const { list } of watched) await expect.poll(() => list.state.status, PATIENCE).toBe('live')
  const write = (id: string, name: string): [sql: string, parameters: readonly string[]] => [
    `INSERT INTO "Tag" (name) SELECT $1 FROM pg_logical_emit_message(true, 'rowcast.metadata', $2)
     RETURNING pg_current_xact_id()::text AS xid`,
    [name, JSON.stringify({ mutationId: id })],
  ]
  const add = async (list: FollowedList<Tag>, name: string) => {
    const id = list.newMutationId()
    list.show(id, { action: 'INSERT', new: { id: `new ${id}`, name } })
    await database.query(...write(id, name))
    await database.query(`INSERT INTO "Tag" (name) VALUES ('beside ${name}')`)
    return list.settled(id)
  }
  // A change that comes before the list knows its transaction looks like anybody's: it commits once it does.
  const addByXid = async (list: FollowedList<Tag>, name: string) => {
    const id = list.newMutationId()
    list.show(id, { action: 'INSERT', new: { id: `new ${id}`, name } })
    return await withSqlClient(database.target, async (sql) => {
      await sql.query('BEGIN')
      const [written] = await sql.query<{ xid: string }>(...write(id, name))
      const settled = list.settled(id, { xid: written?.xid })
      await sql.query('COMMIT')
      await database.query(`INSERT INTO "Tag" (name) VALUES ('beside ${name}')`)
      return await settled
    })
  }
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const { list, pictures } of watched) {
    const own = names.map((name) => `${lists.indexOf(list)}${name}`)
    const adding = list === lists[2] ? addByXid : add
    expect(await Promise.all(own.map((name) => adding(list, name)))).toEqual(own.map(() => 'change'))
    await expect.poll(() => pictures.at(-1)?.filter((name) => own.includes(name)).length, PATIENCE).toBe(6)
    for (const name of own) expectOnce(pictures, name)
  }
  for (const { list } of watched) list.stop()
  await client.dispose()
})

it('takes rows of a list that other rows decide about for what it wrote: which transactions they are of, nobody says', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { config: { public: true } })
  await running.service.rowcast.ready()
  await database.query(`INSERT INTO users (email) VALUES ('author')`)
  const client = overWebSocket(running.url)
  const list = followList<{ id: string; title: string }>({
    request: {
      query: `subscription { postList(where: { author: { is: { isActive: { equals: true } } } }) { cursor transactions { xid }
        ... on PostListSnapshot { rows { id title } }
        ... on PostListPatch { operations { kind index key { rowId } row { id title } } } } }`,
    },
    ...{ client, key: 'id' },
  })
  await expect.poll(() => list.state.status, PATIENCE).toBe('live')
  const id = list.newMutationId()
  list.show(id, { action: 'INSERT', new: { id: 'new', title: 'own' } })
  await database.query(`INSERT INTO "Post" ("authorId", title) SELECT id, 'own' FROM users`)
  expect(await list.settled(id)).toBe('reload')
  await expect.poll(() => list.state.rows.map(({ title }) => title), PATIENCE).toEqual(['own'])
  list.stop()
  await client.dispose()
})
