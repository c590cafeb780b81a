/** The commands in a project of two databases: each is acted on and named, and one can be chosen. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { type CliFolder, openCliFolder } from './run-cli.ts'

const TABLE = 'CREATE TABLE "Tag" (id int PRIMARY KEY, name text NOT NULL UNIQUE)'

interface Pair {
  readonly url: string
  readonly slot: string
}

/** Both have a model Tag. */
function openPairFolder(main: Pair, billing: Pair): Promise<CliFolder> {
  const sourceOf = (name: string, { slot }: Pair) =>
    `${name}: { createPrisma, slot: '${slot}', models: { Tag: {} }, names: { Tag: '${name}Tag' }, catalog: small }`
  const config = [
    'catalog: undefined, createPrisma: undefined,',
    '...((small, createPrisma) => ({ sources: {',
    `${sourceOf('main', main)}, ${sourceOf('billing', billing)}`,
    '} }))({ ...catalog, enums: {}, joinTables: [], models: { Tag: { ...catalog.models.Tag, relations: [] } } }, () => ({ async $connect() {}, async $disconnect() {} })),',
  ]
  const env = { MAIN_DATABASE_URL: main.url, BILLING_DATABASE_URL: billing.url }
  return openCliFolder(env, config.join('\n'))
}

/** Answers every request with JSON. */
async function openAnswering(answer: () => object): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(503).end(JSON.stringify(answer()))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

const linesOf = (text: string): readonly object[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)

it('enable, plan, status and disable act on each database and say which', async () => {
  await using main = await openDatabase()
  await using billing = await openDatabase()
  for (const database of [main, billing]) await database.query(TABLE)
  const pairs = [main, billing].map((database) => ({ url: database.url, slot: slotOf(database) }))
  await using folder = await openPairFolder(pairs[0] as Pair, pairs[1] as Pair)
  const enabled = await folder.run(['enable', '--json'])
  expect(enabled).toMatchObject({ code: 0, stderr: '' })
  expect(linesOf(enabled.stdout)).toMatchObject([
    { source: 'main', done: true },
    { source: 'billing', done: true },
  ])
  const published = (database: typeof main) => database.query('SELECT tablename FROM pg_publication_tables')
  expect(await Promise.all([main, billing].map(published))).toEqual([
    [{ tablename: 'Tag' }],
    [{ tablename: 'Tag' }],
  ])
  const status = await folder.run(['status', '--json', '--source', 'billing'])
  expect(linesOf(status.stdout)).toMatchObject([{ source: 'billing', slot: slotOf(billing) }])
  // What a service says of itself that has both streams, and whose Prisma Client is loading; then what it says of one that is read.
  const answer = { sources: { billing: { isReady: true, slot: slotOf(billing) } }, isWarm: false }
  await using service = await openAnswering(() => answer)
  const readiness = async () => {
    const { stdout } = await folder.run(['status', '--json', '--source', 'billing', '--url', service.url])
    return linesOf(stdout)
  }
  expect(await readiness()).toMatchObject([{ service: { isReady: false } }])
  answer.isWarm = true
  expect(await readiness()).toMatchObject([{ service: { isReady: true } }])
  const disabled = await folder.run(['disable', '--yes', '--source', 'main'])
  expect(disabled).toMatchObject({ code: 0, stderr: '' })
  expect(await Promise.all([main, billing].map(published))).toEqual([[], [{ tablename: 'Tag' }]])
  const planned = await folder.run(['plan', '--stdout'])
  expect(planned.stdout.match(/CREATE PUBLICATION/g)).toHaveLength(1)
  expect(planned.stderr).toMatch(/Source main.*Source billing/s)
})

it('doctor looks at each; what is of one database wants to know which', async () => {
  const nobody = 'postgresql://nobody@127.0.0.1:1'
  await using folder = await openPairFolder(
    { url: `${nobody}/main`, slot: 'rowcast_a' },
    { url: `${nobody}/billing`, slot: 'rowcast_b' },
  )
  const looked = await folder.run(['doctor'])
  expect(looked.stdout).toMatch(
    /^Source main\n.*database main: no answer.*\nSource billing\n.*database billing: /s,
  )
  expect(looked.code).toBe(3)
  const ambiguous = await folder.run(['tail', '--limit', '1'])
  expect(ambiguous.code).toBe(1)
  expect(ambiguous.stderr).toMatch(/several sources: main, billing.*--source main/s)
  const unknown = await folder.run(['doctor', '--source', 'shop'])
  expect(unknown.stderr).toMatch(/no source "shop".*main, billing/s)
})
