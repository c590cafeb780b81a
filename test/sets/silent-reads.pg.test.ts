/** The application's link to PostgreSQL falls silent while first rows are read: whoever waits hears of it, and nobody else waits behind. */
import { Buffer } from 'node:buffer'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { failureOf, insertTag } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** Names of the rows until READY. */
async function rowsOf(events: AsyncIterableIterator<unknown>): Promise<unknown[]> {
  const names: unknown[] = []
  for await (const event of events) {
    const { action, new: row } = event as { action: string; new: { name: string } | null }
    if (action === 'READY') break
    names.push(row?.name)
  }
  return names
}

/** Of the statements that a page is read with. */
const STEPS = ['pg_current_wal_insert_lsn', 'FROM "public"."Tag"', 'COMMIT']

it('fails after answerTimeoutMs, at whichever statement, and the next subscription is served', async () => {
  await using database = await openDatabase({ migrate: true })
  const names = [await insertTag(database), await insertTag(database)]
  let step = ''
  const silent = new Set<number>()
  await using proxy = await openTcpProxy(database.target.port, {
    intercept(bytes, { connection, direction }) {
      if (step !== '' && direction === 'toServer' && bytes.includes(step)) silent.add(connection)
      return silent.has(connection) ? Buffer.alloc(0) : bytes
    },
  })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url.href, max: 20 }) })
  const rowcast = createRowcast({
    ...{ prisma, catalog, connectionString: database.url, slot: slotOf(database) },
    ...{ enableOnStart: true, answerTimeoutMs: 700 },
  }).register('Tag')
  try {
    await prisma.$connect()
    rowcast.start()
    await rowcast.ready()
    const begin = (pageSize: number) => rowcast.subscribe('Tag', { initial: { pageSize } })
    for (const each of STEPS) {
      step = each
      silent.clear()
      // More than may read at once, each with a page of its own. On a busy machine a cursor may be what is late: once more then.
      do {
        const all = await Promise.all([11, 12, 13].map((size) => failureOf(begin(size).next())))
        for (const failure of all) expect(String(failure)).toMatch(/FIRST_ROWS_FAILED|NO_STREAM_YET/)
      } while (silent.size === 0)
      step = ''
      await expect.poll(() => rowsOf(begin(1)).catch(() => []), { timeout: 60_000 }).toEqual(names)
    }
  } finally {
    await rowcast.stop()
    await proxy[Symbol.asyncDispose]()
    await prisma.$disconnect()
  }
})
