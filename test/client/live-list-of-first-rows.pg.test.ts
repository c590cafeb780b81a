/** A live list without `load`, over real servers: the database's rows, whatever happens to the connection. */

import { describe, expect, it } from 'vitest'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { createLiveList } from '../../src/client/live-list.ts'
import { overSse, overWebSocket } from '../support/change-clients.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const QUERY = `subscription ($after: Cursor, $where: TagWhere) {
  tagChanged(initial: true, pageSize: 20, after: $after, where: $where) {
    cursor action transition cause key { rowId } old { rowId } new { id name } }
}`
const PATIENCE = { timeout: 30_000, interval: 20 }

function openList(client: ChangeClient, where: object | null = null) {
  const causes = new Set<unknown>()
  const list = createLiveList<Tag>({
    client,
    request: { query: QUERY, variables: { where } },
    key: 'id',
    sort: (a, b) => Number(a.id) - Number(b.id),
    reloadIntervalMs: 10,
    onChange: (change) => causes.add(Reflect.get(change, 'cause')),
  })
  return { list, causes, names: () => list.state.rows.map(({ name }) => name) }
}

const stored = async (database: TestDatabase) =>
  (await database.query<Tag>('SELECT id, name FROM "Tag" ORDER BY id')).map(({ name }) => name)

describe.each([
  ['WebSocket', overWebSocket],
  ['SSE', overSse],
])('a live list of first rows over %s', (_name, connect) => {
  it('is the table, while its connection is cut again and again; what it cannot have ends it', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, 90) AS n`)
    await using running = await openService(database)
    await running.service.rowcast.ready()
    await using proxy = await openTcpProxy(Number(new URL(running.url).port))
    const client = connect(`http://127.0.0.1:${proxy.port}`)
    const { list, names, causes } = openList(client)
    await expect.poll(() => list.state.status, PATIENCE).toBe('live')
    expect(list.state.isComplete).toBe(true)
    expect(names()).toEqual(await stored(database))
    for (let i = 0; i < 12; i += 1) {
      await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [`more ${i}`])
      await database.query(`UPDATE "Tag" SET name = name || '!' WHERE name = $1`, [`tag ${i + 1}`])
      if (i % 3 === 0) await database.query('DELETE FROM "Tag" WHERE name = $1', [`tag ${i + 40}`])
      if (i % 4 === 1) proxy.cut()
    }
    await expect.poll(names, PATIENCE).toEqual(await stored(database))
    expect(causes).toEqual(new Set(['INITIAL', null]))
    list.stop()
    const rejected = openList(client, { name: { contains: 'a\0' } })
    await expect
      .poll(() => rejected.list.state, PATIENCE)
      .toMatchObject({ status: 'ended', error: { code: 'FIRST_ROWS_REJECTED' } })
    await client.dispose()
  })
})
