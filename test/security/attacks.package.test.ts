/**
 * Each attack on the packed product, served in production mode: it stays up, honest subscribers beside it get every change,
 * nothing it says has a path or what nobody may see in it, and afterwards it is where it was before. Runs after `npm run build`.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type Arena, type Honest, memoryOf, openArena, openHonest, socketsOf } from './attacks/arena.ts'
import { CANARY, CONFIG } from './attacks/attacked-config.ts'
import { INPUT_ATTACKS } from './attacks/input-attacks.ts'
import { LOAD_ATTACKS } from './attacks/load-attacks.ts'
import { type ServedPackage, servePackage } from './attacks/served-package.ts'

const ATTACKS = { ...INPUT_ATTACKS, ...LOAD_ATTACKS }
/** Above what it was at first, in MiB: what a process keeps of memory it does not need is the allocator's and V8's affair. */
const MEMORY_GROWTH_MAX_MIB = 500

let database: TestDatabase
let server: ServedPackage
let honest: Honest
let arena: Arena & Disposable
let memoryBefore = 0
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
  memoryBefore = memoryOf(server)
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
  expect(memoryOf(server) - memoryBefore).toBeLessThan(MEMORY_GROWTH_MAX_MIB)
})

it('says nowhere in its log what nobody may see', () => {
  const told = server.lines.filter((line) => line.includes(CANARY))
  expect(told).toEqual([])
})

it('is back to what it was: a count of sockets, and a process that answers', async () => {
  await expect.poll(sockets, { timeout: 20_000 }).toBeLessThan(20)
  expect(server.lines.filter((line) => line.includes('"level":60'))).toEqual([])
})
