/**
 * Somebody else's project, from the packed tarball and with nothing but the documentation: install, init, generate,
 * doctor, serve, disable. Runs after `npm run build`; the registry must be reachable.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackedProject, type PackedProject } from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

let project: PackedProject
let database: TestDatabase

const SCHEMA = `datasource db {
  provider = "postgresql"
}

generator client {
  provider = "prisma-client"
  output   = "../generated/prisma"
}

enum Status {
  OPEN
  PAID
}

model Order {
  id       Int     @id @default(autoincrement())
  customer String
  total    Decimal @default(0)
  status   Status  @default(OPEN)
}
`

const SQL = `CREATE TYPE "Status" AS ENUM ('OPEN', 'PAID');
CREATE TABLE "Order" ("id" SERIAL PRIMARY KEY, "customer" TEXT NOT NULL,
  "total" DECIMAL(65,30) NOT NULL DEFAULT 0, "status" "Status" NOT NULL DEFAULT 'OPEN')`

beforeAll(async () => {
  database = await openDatabase()
  project = await createPackedProject({
    env: { DATABASE_URL: database.url, ROWCAST_SLOT: `shop_${database.name}`, PORT: '0' },
    packages: [
      ...['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`),
      ...['graphql@16', '@pothos/core', '@pothos/plugin-prisma'],
    ],
  })
  await mkdir(join(project.folder, 'prisma'))
  await writeFile(join(project.folder, 'prisma/schema.prisma'), SCHEMA)
  await database.query(SQL)
}, 300_000)

afterAll(async () => {
  await project[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const npx = (...args: string[]) => project.run('npx', args)

it('init and generate prepare the project', async () => {
  expect((await npx('rowcast', 'init')).stdout).toContain('npx prisma generate')
  expect((await npx('prisma', 'generate')).stdout).toContain('Generated rowcast catalog')
  expect(await readFile(join(project.folder, 'rowcast.config.ts'), 'utf8')).toContain(
    './generated/rowcast.ts',
  )
})

it('doctor says that changes can flow', async () => {
  expect((await npx('rowcast', 'doctor')).stdout).toContain('Changes can flow.')
})

it('serve shows a change to a subscriber, the live page and GraphiQL', async () => {
  await using server = project.start('node', ['node_modules/rowcast/dist/cli/main.js', 'serve'])
  const { url } = JSON.parse(await server.said('Listening.')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  const stream = await subscribeSse(
    url,
    'subscription { orderChanged { action new { customer total status } } }',
  )
  await database.query(`INSERT INTO "Order" (customer, total) VALUES ('Ada', 12.5)`)
  expect(await stream.next()).toEqual({
    data: { orderChanged: { action: 'INSERT', new: { customer: 'Ada', total: '12.5', status: 'OPEN' } } },
  })
  stream.unsubscribe()
  const page = async (path: string) =>
    (await fetch(`${url}${path}`, { headers: { accept: 'text/html' } })).text()
  expect(await page('/')).toContain('rowcast')
  expect(await page('/graphql')).toContain('GraphiQL')
})

it.each(['rowcast', 'rowcast/pothos', 'rowcast/client'])(
  '%s does nothing when it is imported',
  async (entry) => {
    // Prisma's runtime, which is a peer, puts some names of its own there; so does Node.js, once somebody looks at
    // Response, as pg does to know whether it runs at Cloudflare.
    const probe = `await import('@prisma/client/runtime/client')
    void Response
    const look = () => ({ globals: Reflect.ownKeys(globalThis).map(String), env: { ...process.env },
      listeners: process.eventNames().map(String), directory: process.cwd() })
    const before = look()
    await import('${entry}')
    const handles = process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe|File|FSReq|CloseReq/.test(name))
    console.log(JSON.stringify({ before, after: look(), handles }))
    process.exit()`
    const { stdout, stderr } = await project.run('node', ['--input-type=module', '-e', probe])
    const { before, after, handles } = JSON.parse(stdout)
    expect(after).toEqual(before)
    expect([handles, stderr]).toEqual([[], ''])
  },
)

it('disable leaves nothing behind', async () => {
  await npx('rowcast', 'disable', '--yes')
  expect(await database.query('SELECT FROM pg_publication')).toEqual([])
  expect(
    await database.query('SELECT FROM pg_replication_slots WHERE database = current_database()'),
  ).toEqual([])
})

it('a config whose generated client is not there is an error with its hint', async () => {
  await rm(join(project.folder, 'generated'), { recursive: true })
  const { stderr, code } = await project.fail('npx', ['rowcast', 'doctor'])
  expect(code).toBe(1)
  expect(stderr).toContain('CONFIG_FILE_UNREADABLE')
  expect(stderr).toContain('npx prisma generate')
})

it('the library and the client kit load no GraphQL, no server and no Redis', async () => {
  const modules = join(project.folder, 'node_modules')
  const bundled = await readdir(join(modules, 'rowcast/dist/bundled'))
  // What checks the library's options is all that it takes of them.
  expect(bundled).toContain('valibot.js')
  const text = await readFile(join(modules, 'rowcast/dist/bundled/valibot.js'), 'utf8')
  // And the few lines that bundles share with it.
  const kept = new Set(['valibot.js', ...(text.match(/shared-[\w-]+\.js/g) ?? [])])
  const others = bundled.filter((name) => !kept.has(name)).map((name) => `rowcast/dist/bundled/${name}`)
  for (const name of ['@pothos', 'graphql', 'ws', 'commander', ...others])
    await rm(join(modules, name), { recursive: true })
  const probe = `for (const entry of ['rowcast', 'rowcast/client']) await import(entry)`
  await project.run('node', ['--input-type=module', '-e', probe])
  expect((await project.fail('node', ['-e', "import('rowcast/pothos')"])).stderr).toContain('@pothos/core')
})
