/**
 * Attacks on a gateway, behind a tap and Redis, all of them processes of the packed product in production mode: what one process does
 * with its own log, a gateway does with the broker's. Both stay up, honest subscribers get every change, Redis is asked little however much
 * is asked of the gateway, and no descriptor stays open. Runs after `npm run build`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'
import { type Arena, type Honest, openArena, openHonest, socketsOf } from './attacks/arena.ts'
import { CONFIG } from './attacks/attacked-config.ts'
import { LOAD_ATTACKS } from './attacks/load-attacks.ts'
import { OPERATION_ATTACKS } from './attacks/operation-attacks.ts'
import { type ServedPackage, servePackage } from './attacks/served-package.ts'

const ALL = { ...LOAD_ATTACKS, ...OPERATION_ATTACKS }
/** Those for which a gateway has other means than a process that reads its slot. */
const ATTACKS = [
  'replays with old and forged cursors',
  'cursors of other models, of other epochs, and of no one',
  'a hundred replays of a socket, and of streams, that never read',
  'filters that cost much',
  'refused upgrades whose clients go on sending',
  'queries whose clients leave',
] as const
/** One process is client of all here, honest and hostile: a ping that it has no time to answer is not what is looked at. */
const PATIENT_CONFIG = CONFIG.replace(/pingIntervalMs: [\d_]+/, 'pingIntervalMs: 60_000')
/** Of one attack: some hundred, of which most are the tap's and the gateway's own. A command for each cursor would be thousands. */
const COMMANDS_MAX = 2_000

let database: TestDatabase
let redis: TestRedis
let tap: ServedPackage
let gateway: ServedPackage
let honest: Honest
let arena: Arena & Disposable

async function commands(): Promise<number> {
  const text = String(await redis.command('INFO', 'commandstats'))
  const counts = [...text.matchAll(/^cmdstat_(?!info)[^:]+:calls=(\d+)/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

const sockets = () => [tap, gateway].map((each) => socketsOf(each, database.target.port))

describe.skipIf(NO_REDIS !== null)('a gateway', () => {
  beforeAll(async () => {
    database = await openDatabase({ migrate: true })
    redis = await openRedis()
    await database.query(
      `INSERT INTO users (email, is_active) VALUES ('honest@example.com', true), ('deep@example.com', true), ('other@example.com', true)`,
    )
    await database.query(
      `INSERT INTO "Post" ("authorId", title, body) SELECT id, 'Post ' || n, repeat('x', 2000)
        FROM users, generate_series(1, 100) n WHERE email = 'other@example.com'`,
    )
    tap = await servePackage(database, PATIENT_CONFIG, { ROWCAST_ROLE: 'tap', REDIS_URL: redis.url })
    gateway = await servePackage(database, PATIENT_CONFIG, { ROWCAST_ROLE: 'gateway', REDIS_URL: redis.url })
    honest = await openHonest(gateway, database)
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: '{"query":"{ changeCursor }"}',
    })
    const { data } = (await response.json()) as { data: { changeCursor: string } }
    await database.query(`UPDATE "Post" SET title = title || '!'`)
    arena = openArena(gateway, database, data.changeCursor)
    // What a first use of each transport loads, and opens, stays.
    await arena.ask('{ users { id } }')
  }, 300_000)

  afterAll(async () => {
    arena?.[Symbol.dispose]()
    await honest?.[Symbol.asyncDispose]()
    await gateway?.[Symbol.asyncDispose]()
    await tap?.[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
    await database?.[Symbol.asyncDispose]()
  })

  it.each(ATTACKS)('%s', async (name) => {
    const [before, asked] = [sockets(), await commands()]
    const [attacked, delivered] = await Promise.allSettled([ALL[name]?.(arena), honest.expectAll()])
    arena[Symbol.dispose]()
    for (const part of [attacked, delivered]) if (part.status === 'rejected') throw part.reason
    await honest.expectAll()
    expect([tap.exit, gateway.exit]).toEqual([null, null])
    const more = (await commands()) - asked
    process.stdout.write(`${name}: ${more} commands of Redis.\n`)
    expect(more).toBeLessThan(COMMANDS_MAX)
    for (const [at, count] of before.entries())
      await expect.poll(() => sockets()[at], { timeout: 20_000 }).toBeLessThanOrEqual(count)
    for (const { url } of [tap, gateway])
      expect((await fetch(`${url}/health/live`, { headers: { connection: 'close' } })).status).toBe(200)
  })

  it('logs nothing fatal', () => {
    expect([...tap.lines, ...gateway.lines].filter((line) => line.includes('"level":60'))).toEqual([])
  })
})
