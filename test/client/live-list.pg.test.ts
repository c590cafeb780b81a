/** A live list over real servers: the database's rows, whatever happens to the connection, the server and the slot. */

import { describe, expect, it } from 'vitest'
import { createLiveList } from '../../src/client/live-list.ts'
import { overSse, overWebSocket } from '../support/change-clients.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const QUERY = `subscription ($after: Cursor) {
  tagChanged(after: $after) { cursor action key { rowId } old { rowId } new { id name } }
}`
const PATIENCE = { timeout: 30_000, interval: 20 }

function openList(url: string, connect = overWebSocket, take = 200) {
  const client = connect(url)
  let loads = 0
  const list = createLiveList<Tag>({
    client,
    async load() {
      loads += 1
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `{ tags(take: ${take}) { id name } }` }),
      })
      const { data } = (await response.json()) as { data: { tags: Tag[] } }
      return data.tags
    },
    request: { query: QUERY },
    key: 'id',
    sort: (a, b) => Number(a.id) - Number(b.id),
    reloadIntervalMs: 10,
  })
  const names = () => list.state.rows.map(({ name }) => name)
  return { client, list, names, loads: () => loads }
}

const stored = async (database: TestDatabase) =>
  (await database.query<Tag>('SELECT id, name FROM "Tag" ORDER BY id')).map(({ name }) => name)

describe.each([
  ['WebSocket', overWebSocket],
  ['SSE', overSse],
])('a live list over %s', (_name, connect) => {
  it('is the table, while its connection is cut again and again, and is loaded once', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    await using proxy = await openTcpProxy(Number(new URL(running.url).port))
    const { client, list, names, loads } = openList(`http://127.0.0.1:${proxy.port}`, connect)
    const statuses = new Set([list.state.status])
    list.listen(() => statuses.add(list.state.status))
    await expect.poll(() => list.state.status, PATIENCE).toBe('live')
    for (let i = 0; i < 20; i += 1) {
      await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [`tag ${i}`])
      if (i % 3 === 0)
        await database.query(`UPDATE "Tag" SET name = name || '!' WHERE name = $1`, [`tag ${i}`])
      if (i % 4 === 0) await database.query('DELETE FROM "Tag" WHERE name LIKE $1', [`tag ${i - 2}%`])
      if (i % 5 === 2) proxy.cut()
    }
    await expect.poll(names, PATIENCE).toEqual(await stored(database))
    await expect.poll(() => list.state.status, PATIENCE).toBe('live')
    expect([...statuses].sort()).toEqual(['live', 'loading', 'reconnecting'])
    expect(loads()).toBe(1)
    list.stop()
    await expect.poll(() => list.state).toMatchObject({ status: 'ended', error: null })
    await client.dispose()
  })

  it('waits for a server that is not there yet, and loads again after a resync', async () => {
    await using database = await openDatabase({ migrate: true })
    let running = await openService(database)
    const port = Number(new URL(running.url).port)
    await running[Symbol.asyncDispose]()
    const { client, list, names, loads } = openList(running.url, connect)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('before')`)
    running = await openService(database, { port })
    await expect.poll(names, PATIENCE).toEqual(['before'])
    await running[Symbol.asyncDispose]()
    await database.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1',
      [database.name],
    )
    await database.query(`UPDATE "Tag" SET name = 'nobody was told'`)
    running = await openService(database, { port })
    await expect.poll(names, PATIENCE).toEqual(['nobody was told'])
    expect(loads()).toBe(2)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('after')`)
    await expect.poll(names, PATIENCE).toEqual(['nobody was told', 'after'])
    list.stop()
    await client.dispose()
    await running[Symbol.asyncDispose]()
  })

  it('ends with the error that trying again does not repair', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const client = connect(running.url)
    const list = createLiveList<Tag>({
      client,
      load: async () => [],
      request: { query: QUERY.replace('tagChanged', 'tugChanged') },
      key: 'id',
    })
    await expect.poll(() => list.state.status, PATIENCE).toBe('ended')
    expect(String(list.state.error)).toContain('tugChanged')
    await client.dispose()
  })
})

describe('a list that its query cut', () => {
  it('says so, and has the first rows of the table whatever changes within, beyond and at the end', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    await database.query(
      `INSERT INTO "Tag" (id, name) SELECT 2 * n, 'tag ' || n FROM generate_series(1, 60) n`,
    )
    const { client, list, names } = openList(running.url, overWebSocket, 50)
    const first = async () => (await stored(database)).slice(0, 50)
    await expect.poll(names, PATIENCE).toEqual(await first())
    await expect.poll(() => list.state, PATIENCE).toMatchObject({ status: 'live', isComplete: false })
    const sizes = new Set<number>()
    list.listen(() => sizes.add(list.state.rows.length))
    for (const statement of [
      // Beyond the end: an UPDATE and an INSERT that have no place in the list.
      `UPDATE "Tag" SET name = 'far' WHERE id = 120`,
      `INSERT INTO "Tag" (id, name) VALUES (121, 'farther')`,
      // Within: the last row leaves for a new one, and the next moves up for one that goes.
      `INSERT INTO "Tag" (id, name) VALUES (3, 'new')`,
      `DELETE FROM "Tag" WHERE id IN (4, 6)`,
      // The last row sinks, and one from beyond rises.
      `UPDATE "Tag" SET id = 999 WHERE id = (SELECT max(id) FROM (SELECT id FROM "Tag" ORDER BY id LIMIT 50) a)`,
      `UPDATE "Tag" SET id = 1 WHERE id = 118`,
    ]) {
      await database.query(statement)
      await database.query(`UPDATE "Tag" SET name = name || '.' WHERE id = 10`)
      await expect.poll(names, PATIENCE).toEqual(await first())
    }
    expect([...sizes].filter((size) => size > 50)).toEqual([])
    await database.query('DELETE FROM "Tag" WHERE id > 20')
    await expect.poll(names, PATIENCE).toEqual(await stored(database))
    await expect.poll(() => list.state.isComplete, PATIENCE).toBe(true)
    await database.query(`INSERT INTO "Tag" (id, name) VALUES (500, 'last')`)
    await expect.poll(names, PATIENCE).toEqual(await stored(database))
    list.stop()
    await client.dispose()
  })
})
