/** What must never be said: a service goes through its failures, and all that it logged and sent is searched. */
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import type { LogFields, Logger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

/** In every row, in whatever column takes text. */
const ROW_VALUE = 'rowvalue-7f3a91'
const WRONG_PASSWORD = 'hunter2-wrong'
const ID = '018f4e5a-7c11-7aaa-8bbb-0123456789ab'
const PASSWORD = 'Pa$$word-9c41'

/** What only the server knows: where its files are, what it asked the database, and what that answered. */
const INSIDES =
  /node_modules|\/src\/|\.[cm]?[jt]s:\d|\n\s+at |SELECT |FROM |relation \\?"|does not exist|elsewhere|prisma\./i

/** A role whose password is like no other word, gone at the end. */
async function openRole(database: TestDatabase) {
  const role = `role_${database.name}`
  await database.query(`CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD '${PASSWORD}'`)
  const url = new URL(database.url)
  url.username = role
  url.password = encodeURIComponent(PASSWORD)
  return {
    url,
    async [Symbol.asyncDispose]() {
      await database.query(`DROP OWNED BY ${role}`)
      await database.query(`DROP ROLE ${role}`)
    },
  }
}

/** A service whose every word is kept. */
async function openTalkative(database: TestDatabase, databaseUrl: string) {
  const said: string[] = []
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      said.push(JSON.stringify({ level, message, ...fields }))
    }
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const config = defineConfig({
    catalog,
    createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
    slot: slotOf(database),
    port: 0,
  })
  const service = await createService(resolveConfig(config, { DATABASE_URL: databaseUrl }), { logger })
  const { url } = await service.start()
  return {
    url,
    service,
    said,
    /** Keeps what a client was sent. */
    hear: (answer: unknown) => void said.push(JSON.stringify(answer)),
    async health() {
      const text = await (await fetch(`${url}/health/ready`)).text()
      said.push(text)
      return text
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

function expectDiscreet(said: readonly string[]): void {
  const all = said.join('\n')
  for (const secret of [ROW_VALUE, WRONG_PASSWORD, PASSWORD, encodeURIComponent(PASSWORD), 'postgresql://']) {
    const lines = said.filter((line) => line.includes(secret))
    expect(lines, `"${secret}" was said`).toEqual([])
  }
  // Prisma quotes the source around the call, and the invocation with its values.
  expect(all).not.toMatch(/Invalid `|findMany\(|findUnique\(/)
}

describe('nothing that is logged or sent holds a password or a row', () => {
  it('with a wrong password', async () => {
    await using database = await openDatabase({ migrate: true })
    await using role = await openRole(database)
    role.url.password = WRONG_PASSWORD
    await using talkative = await openTalkative(database, role.url.href)
    await expect.poll(() => talkative.health(), { timeout: 20_000 }).toContain('SOURCE_AUTHENTICATION_FAILED')
    for (const transport of TRANSPORTS) {
      const { errors } = await transport.ask(talkative.url, '{ users { email } }')
      expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }])
      talkative.hear(errors)
    }
    expectDiscreet(talkative.said)
  })

  it('with connections that break, statements that fail and tables that change', async () => {
    await using database = await openDatabase({ migrate: true })
    await using proxy = await openTcpProxy(database.target.port)
    await using role = await openRole(database)
    role.url.port = String(proxy.port)
    await using talkative = await openTalkative(database, role.url.href)
    const { url, service } = talkative
    await service.rowcast.ready()
    await database.query('INSERT INTO users (email, full_name) VALUES ($1, $1)', [ROW_VALUE])

    // A failing resolver on every transport: the table is gone, and Prisma quotes what it was asked.
    await database.query('ALTER TABLE users RENAME TO elsewhere')
    for (const transport of TRANSPORTS) {
      for (const query of [
        'query { users { email } }',
        `query { user(id: "${ID}") { email } }`,
        'query { users(take: -1) { email } }',
      ]) {
        const { errors } = await transport.ask(url, query)
        expect(errors.length).toBeGreaterThan(0)
        talkative.hear(errors)
      }
    }
    await database.query('ALTER TABLE elsewhere RENAME TO users')

    // A lost connection, while changes come.
    const live = await Promise.all(
      STREAM_TRANSPORTS.map(({ open }) => open(url, 'subscription { userChanged { new { email } } }')),
    )
    proxy.cut()
    await database.query('UPDATE users SET full_name = $1', [`${ROW_VALUE}-2`])
    await expect.poll(() => talkative.health(), { timeout: 20_000 }).toContain('"streaming"')

    // Drift: the column no longer has what its field reads.
    await database.query('ALTER TABLE users ALTER COLUMN storage_bytes DROP DEFAULT')
    await database.query(`ALTER TABLE users ALTER COLUMN storage_bytes TYPE text USING '${ROW_VALUE}'`)
    await database.query('UPDATE users SET full_name = $1', [`${ROW_VALUE}-3`])
    await expect
      .poll(() => talkative.said.some((line) => line.includes('CATALOG_DRIFT')) || talkative.health(), {
        timeout: 20_000,
      })
      .toSatisfy((said) => said === true || String(said).includes('CATALOG_DRIFT'))
    await Promise.all(live.map((stream) => stream.leave()))
    expect(talkative.said.some((line) => line.includes('"level":"error"'))).toBe(true)
    expectDiscreet(talkative.said)
  })

  it('of lists, totals, first rows, included and related rows whose statements fail', async () => {
    await using database = await openDatabase({ migrate: true })
    await using talkative = await openTalkative(database, database.url)
    const { url, service, hear } = talkative
    await service.rowcast.ready()
    await database.query(`INSERT INTO users (id, email, full_name) VALUES ('${ID}', $1, $1)`, [ROW_VALUE])
    await database.query(`INSERT INTO "Post" (id, "authorId", title) VALUES (1, '${ID}', $1)`, [ROW_VALUE])
    await database.query(`INSERT INTO "Comment" ("postId", "authorId", body) VALUES (1, '${ID}', $1)`, [
      ROW_VALUE,
    ])
    const fails = async (subscription: string): Promise<void> => {
      const answers = STREAM_TRANSPORTS.map(({ ask }) => ask(url, `subscription { ${subscription} }`))
      for (const { errors } of await Promise.all(answers)) {
        expect(errors.length, subscription).toBeGreaterThan(0)
        hear(errors)
        for (const error of errors) expect(JSON.stringify(error), subscription).not.toMatch(INSIDES)
      }
    }
    // Changes come as ever: what fails is what is read for them.
    const related = await Promise.all(
      STREAM_TRANSPORTS.flatMap(({ open }) =>
        ['new { author { email } }', 'new { comments { body } }'].map((part) =>
          open(url, `subscription { postChanged { ${part} } }`),
        ),
      ),
    )
    await database.query('ALTER TABLE users RENAME TO elsewhere')
    await database.query('ALTER TABLE "Comment" RENAME COLUMN body TO elsewhere')
    await database.query('UPDATE "Post" SET "viewCount" = 1')
    for (const stream of related) {
      const { errors } = await stream.next()
      expect(errors.length).toBeGreaterThan(0)
      hear(errors)
      for (const error of errors) expect(JSON.stringify(error)).not.toMatch(INSIDES)
      await stream.leave()
    }
    await fails('userList(take: 5) { ... on UserListSnapshot { rows { email } } }')
    await fails('userTotals { count }')
    await fails('userChanged(initial: true) { action new { email } }')
    await fails(
      'userChanged(initial: true, where: { posts: { some: { title: { contains: "row" } } } }) { action }',
    )
    await fails('postChanged(initial: true) { action new { author { email } } }')
    await fails(
      'postChanged(initial: true, include: [comments]) { action new { comments { body } } via { relation } }',
    )
    expectDiscreet(talkative.said)
  })
})
