/** Commits at a steady rate, from a process of its own. */
import pg from 'pg'
import { insertSql } from '../orders.ts'

/** What to write. */
export interface WriteRequest {
  readonly url: string
  readonly firstId: number
  readonly count: number
  /** Transactions a second. */
  readonly rate: number
}

const CONNECTIONS = 4

/** Inserts one row a transaction, each when it is due; returns the rate that came of it. */
async function write({ url, firstId, count, rate }: WriteRequest): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      return client
    }),
  )
  const startedMs = performance.now()
  const pending: Promise<unknown>[] = []
  while (pending.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - startedMs) / 1_000) * rate) + 1)
    while (pending.length < due) {
      const id = firstId + pending.length
      pending.push(clients[id % CONNECTIONS]?.query(insertSql(id, id)) ?? Promise.resolve())
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  const seconds = (performance.now() - startedMs) / 1_000
  await Promise.all(clients.map((client) => client.end()))
  return count / seconds
}

export const commands = { write }
