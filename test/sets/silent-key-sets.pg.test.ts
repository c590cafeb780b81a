/**
 * The application's link to PostgreSQL falls silent while keys of related rows are read, with first rows and without, at
 * whichever statement: whoever waits hears of it, the next one is served, and nobody is kept from stopping.
 */
import { Buffer } from 'node:buffer'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { failureOf } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** Of the statements that keys and rows are read with: one of each must have been met. */
const STEPS = ['BEGIN', 'pg_current_wal_insert_lsn', '"users"', 'COMMIT']
const WHERE = { author: { is: { email: 'ada@x' } } }

async function openBehindSilence(database: TestDatabase, answerTimeoutMs: number) {
  let step = ''
  const silent = new Set<number>()
  const proxy = await openTcpProxy(database.target.port, {
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
    ...{ enableOnStart: true, answerTimeoutMs },
  })
  for (const model of ['User', 'Post'] as const) rowcast.register(model)
  await prisma.$connect()
  await prisma.user.create({ data: { email: 'ada@x', posts: { create: { title: 'one' } } } })
  rowcast.start()
  await rowcast.ready()
  return {
    ...{ rowcast, prisma, silent },
    silenceAt(next: string) {
      step = next
      silent.clear()
    },
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await proxy[Symbol.asyncDispose]()
      await prisma.$disconnect()
    },
  }
}

it('fails after answerTimeoutMs, at whichever statement, and the next subscription is served', {
  timeout: 240_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await using behind = await openBehindSilence(database, 700)
  const { rowcast, silent } = behind
  const begin = (initial: boolean) =>
    initial
      ? rowcast.subscribe('Post', { where: WHERE, initial })
      : rowcast.subscribe('Post', { where: WHERE })
  for (const initial of [true, false]) {
    for (const each of STEPS) {
      behind.silenceAt(each)
      do {
        const failure = await failureOf(begin(initial).next())
        expect([each, String(failure)]).toEqual([
          each,
          expect.stringMatching(/RESYNC_REQUIRED|FIRST_ROWS_FAILED|WIRE_ANSWER_TIMEOUT/),
        ])
      } while (silent.size === 0)
      behind.silenceAt('')
    }
  }
  const served = async () => {
    const events = rowcast.subscribe('Post', { where: WHERE, initial: true })
    const first = (await events.next()).value as { new: { title: string } } | undefined
    await events.return?.()
    return first?.new.title
  }
  await expect.poll(() => served().catch(() => ''), { timeout: 60_000 }).toBe('one')
})

it('keeps nobody from stopping, however long an answer may take', { timeout: 120_000 }, async () => {
  for (const each of STEPS) {
    await using database = await openDatabase({ migrate: true })
    await using behind = await openBehindSilence(database, 3_600_000)
    const { rowcast, silent } = behind
    behind.silenceAt(each)
    const waiting = rowcast.subscribe('Post', { where: WHERE, initial: true }).next()
    const settled = waiting.then(
      ({ done }) => done,
      () => true,
    )
    await expect.poll(() => [each, silent.size > 0], { timeout: 60_000 }).toEqual([each, true])
    await rowcast.stop()
    expect([each, await settled]).toEqual([each, true])
  }
})
