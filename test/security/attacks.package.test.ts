/**
 * Each attack on the packed product, served in production mode: it stays up, honest subscribers beside it get every change,
 * nothing it says has a path or what nobody may see in it, and afterwards it is where it was before. Runs after `npm run build`.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type Arena, type Honest, openArena, openHonest, socketsOf } from './attacks/arena.ts'
import { CANARY, CONFIG } from './attacks/attacked-config.ts'
import { CONNECTION_ATTACKS } from './attacks/connection-attacks.ts'
import { INPUT_ATTACKS } from './attacks/input-attacks.ts'
import { LIVE_SET_ATTACKS } from './attacks/live-set-attacks.ts'
import { LOAD_ATTACKS } from './attacks/load-attacks.ts'
import { OPERATION_ATTACKS } from './attacks/operation-attacks.ts'
import { type ServedPackage, servePackage } from './attacks/served-package.ts'

const ATTACKS = {
  ...INPUT_ATTACKS,
  ...LOAD_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...OPERATION_ATTACKS,
  ...LIVE_SET_ATTACKS,
}
const MIB = 1024 * 1024
/** What all attacks together may leave behind: the log of what was written meanwhile (24 MiB by default), and caches. */
const HELD_AFTERWARDS_MAX_BYTES = (24 + 64) * MIB

let database: TestDatabase
let server: ServedPackage
let honest: Honest
let arena: Arena & Disposable
let heldAtFirst = 0
const heldBytes = async () => (await server.memory()).liveBytes
const sockets = () => socketsOf(server, database.target.port)

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (email, full_name, is_active) VALUES ('honest@example.com', $1, true), ('deep@example.com', $1, true),
      ('other@example.com', $1, true), ($2, $1, false)`,
    [CANARY, `${CANARY}@example.com`],
  )
  await database.query(
    `INSERT INTO "Post" ("authorId", title, body) SELECT id, 'Post ' || n, repeat('x', 2000)
      FROM users, generate_series(1, 100) n WHERE email = 'other@example.com'`,
  )
  server = await servePackage(database, CONFIG)
  honest = await openHonest(server, database)
  const cursor = await firstCursor()
  arena = openArena(server, database, cursor)
  // What a first use of each transport loads, and opens, stays.
  await arena.ask('{ users { id } }')
  heldAtFirst = await heldBytes()
}, 180_000)

afterAll(async () => {
  arena?.[Symbol.dispose]()
  await honest?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

async function firstCursor(): Promise<string> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: '{"query":"{ changeCursor }"}',
  })
  const { data } = (await response.json()) as { data: { changeCursor: string } }
  await database.query(`UPDATE "Post" SET title = title || '!'`)
  return data.changeCursor
}

it.each(Object.keys(ATTACKS))('%s', async (name) => {
  const before = sockets()
  const [attacked, delivered] = await Promise.allSettled([ATTACKS[name]?.(arena), honest.expectAll()])
  arena[Symbol.dispose]()
  for (const part of [attacked, delivered]) if (part.status === 'rejected') throw part.reason
  await honest.expectAll()
  expect(server.exit).toBeNull()
  expect((await fetch(`${server.url}/health/live`, { headers: { connection: 'close' } })).status).toBe(200)
  await expect
    .poll(sockets, { timeout: 20_000, message: 'descriptors of sockets' })
    .toBeLessThanOrEqual(before)
  await expect
    .poll(heldBytes, { timeout: 20_000, message: 'bytes that are held' })
    .toBeLessThan(heldAtFirst + HELD_AFTERWARDS_MAX_BYTES)
  const { liveBytes, rssBytes } = await server.memory()
  process.stdout.write(
    `${name}: ${Math.round((liveBytes - heldAtFirst) / MIB)} MiB more held than at first; RSS ${Math.round(rssBytes / MIB)} MiB.\n`,
  )
})

it('says nowhere in its log what nobody may see', () => {
  const reported = server.lines.filter((line) => line.includes(CANARY))
  expect(reported).toEqual([])
})

it('has no listener too many: Node.js warns of eleven of a kind', () => {
  expect(server.lines.filter((line) => line.includes('Warning'))).toEqual([])
})

it('is back to what it was: a count of sockets, and a process that answers', async () => {
  await expect.poll(sockets, { timeout: 20_000 }).toBeLessThan(20)
  expect(server.lines.filter((line) => line.includes('"level":60'))).toEqual([])
})
