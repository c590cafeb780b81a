/** Lists that are longer than a real server delivers, over each transport: they end, and are not read again and again; where a patch alone is too long, the list is had whole. */
import { expect, it } from 'vitest'
import { followList } from '../../src/client/followed-list.ts'
import { overSse, overWebSocket } from '../support/change-clients.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const PATIENCE = { timeout: 60_000, interval: 20 }
/** Of 60 characters each: a list of them fits, and what names each of them again does not. */
const FITTING = 100
const query = (take: number) => `subscription { tagList(orderBy: [{ id: ASC }], take: ${take}) { cursor
  ... on TagListSnapshot { rows { id name } }
  ... on TagListPatch { operations { kind index key { rowId } row { id name } } } } }`

it('end with LIST_TOO_LARGE, and are had whole where what has changed is too long', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { limits: { payloadBytesMax: 12_000 } })
  await running.service.rowcast.ready()
  await database.query(
    `INSERT INTO "Tag" (name) SELECT rpad(i || ' ', 60, 'a') FROM generate_series(1, 200) AS i`,
  )
  const clients = [overWebSocket, overSse].map((connect) => connect(running.url))
  const follow = (take: number) =>
    clients.map((client) => {
      const codes: unknown[] = []
      const list = followList<Tag>({ client, request: { query: query(take) }, key: 'id' })
      list.listen(() => codes.push((list.state.error as { code?: string } | null)?.code))
      return { list, codes }
    })
  const { rowcast } = running.service
  const before = rowcast.listCost().reads
  for (const { list } of follow(200)) {
    await expect.poll(() => list.state.status, PATIENCE).toBe('ended')
    expect(list.state).toMatchObject({ rows: [], error: { code: 'LIST_TOO_LARGE' } })
    expect(list.state.error).not.toHaveProperty('extensions.cursor')
  }
  expect(rowcast.listCost().reads - before).toBeLessThanOrEqual(clients.length)

  const fitting = follow(FITTING)
  const letters = (list: (typeof fitting)[number]['list']) => [
    list.state.rows.length,
    ...new Set(list.state.rows.map(({ name }) => name.at(-1))),
  ]
  for (const { list } of fitting) await expect.poll(() => letters(list), PATIENCE).toEqual([FITTING, 'a'])
  await database.query(`UPDATE "Tag" SET name = replace(name, 'a', 'b')`)
  for (const { list, codes } of fitting) {
    await expect.poll(() => letters(list), PATIENCE).toEqual([FITTING, 'b'])
    expect(list.state).toMatchObject({ status: 'live', error: null })
    expect(codes).toContain('LIST_TOO_LARGE')
    list.stop()
  }
  for (const client of clients) await client.dispose()
})
