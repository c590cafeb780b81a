/** A session with the application's database: every statement ends, whoever keeps the answer back. */
import { describe, expect, it } from 'vitest'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { openDatabase } from '../support/database.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** Long enough to connect in on a busy machine. */
const SHORT = { answerTimeoutMs: 3_000 }

describe('a statement', () => {
  it('that takes too long is ended by the server, and the session goes on', async () => {
    await using database = await openDatabase()
    await withDatabaseSession(
      database.target,
      async (sql) => {
        await expect(sql.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
          code: 'WIRE_ANSWER_TIMEOUT',
          details: { sqlstate: '57014' },
        })
        expect(await sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
      },
      SHORT,
    )
  })

  it('whose answer the network swallows is given up', async () => {
    await using database = await openDatabase()
    await using proxy = await openTcpProxy(database.target.port)
    const asking = withDatabaseSession(
      { ...database.target, host: '127.0.0.1', port: proxy.port },
      async (sql) => {
        await sql.query('SELECT 1')
        proxy.stall()
        return sql.query('SELECT 2')
      },
      SHORT,
    )
    await expect(asking).rejects.toMatchObject({ code: 'WIRE_ANSWER_TIMEOUT', retry: 'backoff' })
  })

  it('ends with the signal, whatever it waits for', async () => {
    await using database = await openDatabase()
    const abort = new AbortController()
    const asking = withDatabaseSession(
      database.target,
      async (sql) => {
        setImmediate(() => abort.abort())
        return sql.query('SELECT pg_sleep(60)')
      },
      { answerTimeoutMs: 50_000, signal: abort.signal },
    )
    await expect(asking).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_LOST' })
    const ended = withDatabaseSession(database.target, async () => 'in', { signal: abort.signal })
    await expect(ended).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_LOST' })
  })
})
