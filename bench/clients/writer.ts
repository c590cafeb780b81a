/** Commits at a steady rate, from a process of its own. */
import pg from 'pg'
import { insertSql } from '../orders.ts'
import { commentSql } from '../sample.ts'

/** What to write. */
export interface WriteRequest {
  readonly url: string
  /** @default 'orders' */
  readonly table?: 'orders' | 'comments'
  readonly firstId: number
  readonly count: number
  /** Transactions a second. */
  readonly rate: number
}

const CONNECTIONS = 8

/** Inserts one row a transaction, each when it is due; returns the rate that came of it. */
async function write(request: WriteRequest): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new pg.Client({ connectionString: request.url })
      await client.connect()
      return client
    }),
  )
  const startedMs = performance.now()
  await Promise.all(clients.map((client, index) => writeShare(client, index, startedMs, request)))
  const seconds = (performance.now() - startedMs) / 1_000
  await Promise.all(clients.map((client) => client.end()))
  return request.count / seconds
}

/** Every eighth row. */
async function writeShare(client: pg.Client, index: number, startedMs: number, request: WriteRequest) {
  const { count, firstId, rate, table = 'orders' } = request
  const sqlOf = (id: number) => (table === 'orders' ? insertSql(id, id) : commentSql(id))
  for (let n = index; n < count; n += CONNECTIONS) {
    const dueMs = startedMs + (n / rate) * 1_000
    while (performance.now() < dueMs) await new Promise((resolve) => setTimeout(resolve, 1))
    await client.query(sqlOf(firstId + n))
  }
}

export const commands = { write }
