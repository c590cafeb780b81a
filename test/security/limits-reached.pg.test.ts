/** Each limit that counts rows, changes or filters is reached, on each way in that it concerns; the others are in `limits-reached.test.ts`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerLimits } from '../../src/server/limits/limits.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { NOTHING, PATIENCE_MS } from './limits/reach.ts'
import { ROW_REACHES, ROWS, type RowReach, TEXT_BYTES, writeMuch } from './limits/row-reaches.ts'

let database: TestDatabase
let cursor = ''

async function serve(limits: Partial<ServerLimits>) {
  const running = await openService(database, {
    limits,
    context: () => ({ context: {}, viewerKey: 'ada' }),
    // The cursor is older than a process that starts once more.
    config: { livePage: false, trustedProxyCount: 1, retain: { bytes: 268_435_456, minutes: 60 } },
  })
  await running.service.rowcast.ready()
  return running
}

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
})

afterAll(async () => {
  await database[Symbol.asyncDispose]()
})

async function fill(url: string): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: '{"query":"{ changeCursor }"}',
  })
  const { data } = (await response.json()) as { data: { changeCursor: string } }
  cursor = data.changeCursor
  await database.query('DELETE FROM "Post"')
  await database.query(
    `INSERT INTO "Post" ("authorId", title, body) SELECT id, 'post ' || n, repeat('x', ${TEXT_BYTES}) FROM users, generate_series(1, ${ROWS}) n`,
  )
  await database.query(`INSERT INTO "Comment" ("postId", body) SELECT id, 'c' FROM "Post"`)
}

const REACHES: readonly (readonly [string, RowReach])[] = Object.entries(ROW_REACHES)

describe.each(REACHES)('%s', (name, { small, large, over, sees, attempt }) => {
  it.each([
    ['is reached', small, true],
    ['is not reached by the same clients where it is larger', large, false],
  ] as const)(
    '%s',
    async (_name, limits, isReached) => {
      await using running = await serve(limits)
      await fill(running.url)
      if (name.startsWith('replays')) await writeMuch(database)
      for (const transport of over) {
        const patienceMs = isReached ? PATIENCE_MS.small : PATIENCE_MS.large
        const seen = await attempt({ url: running.url, database, cursor }, transport, patienceMs)
        expect(`${transport.name}: ${seen}`).toBe(
          `${transport.name}: ${isReached ? sees(transport) : NOTHING}`,
        )
      }
    },
    120_000,
  )
})
