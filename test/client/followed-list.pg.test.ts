/** A list that the server keeps, followed over real servers: what the query gives, whatever happens to the connection and the server. */
import { expect, it } from 'vitest'
import { followList } from '../../src/client/followed-list.ts'
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
