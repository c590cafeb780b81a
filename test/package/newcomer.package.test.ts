/**
 * Somebody else's project, from the packed tarball and with nothing but the documentation: install, init, generate,
 * doctor, serve, a worker, disable. Runs after `npm run build`; the registry must be reachable.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { subscribeSse } from '../support/sse-client.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

let folder: string
let database: TestDatabase
let env: NodeJS.ProcessEnv

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

/** The library in ten lines. */
const WORKER = `import { createRowcast } from 'rowcast'
import { catalog } from './generated/rowcast.ts'

const rowcast = createRowcast({ connectionString: process.env['DATABASE_URL'] ?? '', slot: 'worker', catalog }).register('Order')
await rowcast.enable()
rowcast.start()
await rowcast.ready()
console.log('ready')
for await (const change of rowcast.subscribe('Order', { action: ['INSERT', 'DELETE'], where: { status: 'OPEN' } })) {
  if (change.action === 'INSERT') console.log('+', change.new.customer, change.new.total.toFixed(2), change.old satisfies null)
  else console.log('-', change.key?.id, change.old?.customer, change.new satisfies null)
}
`

/** Mistakes that must not compile. */
const MISTAKES = `import { createRowcast } from 'rowcast'
import { catalog } from './generated/rowcast.ts'

const rowcast = createRowcast({ connectionString: '', catalog })
// @ts-expect-error no such model
rowcast.register('Ordre')
// @ts-expect-error no such model
rowcast.subscribe('Ordre')
// @ts-expect-error no such action
rowcast.subscribe('Order', { action: 'UPSERT' })
// @ts-expect-error no such field
rowcast.subscribe('Order', { where: { custmer: 'Ada' } })
// @ts-expect-error no such value
rowcast.subscribe('Order', { where: { status: 'LOST' } })
// @ts-expect-error no such field
rowcast.subscribe('Order', { changed: ['totl'] })
for await (const change of rowcast.subscribe('Order', { action: 'DELETE' })) {
  // @ts-expect-error a deleted row has no new one
  console.log(change.new.customer)
}
`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowcast-newcomer-'))
  database = await openDatabase()
  env = {
    ...process.env,
    DATABASE_URL: database.url,
    ROWCAST_SLOT: `shop_${database.name}`,
    PORT: '0',
    // Prisma's CLI would download an engine that `generate` does not need.
    PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
  }
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT })
  const tarball = stdout.trim().split('\n').at(-1) ?? ''
  await writeFile(join(folder, 'package.json'), '{ "name": "shop", "private": true, "type": "module" }')
  const packages = ['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`)
  await run(
    'npm',
    [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      `./${tarball}`,
      ...packages,
      'tsx@^4',
      'typescript@~7.0',
      '@types/node@^20',
    ],
    { cwd: folder },
  )
  await run('mkdir', [join(folder, 'prisma')])
  await writeFile(join(folder, 'prisma/schema.prisma'), SCHEMA)
  await database.query(SQL)
}, 300_000)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await database[Symbol.asyncDispose]()
})

const npx = (...args: string[]) => run('npx', args, { cwd: folder, env })

/** A program that runs until its test has seen enough. */
function start(command: string, args: readonly string[], more: Record<string, string> = {}) {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    said: (words: string) =>
      expect
        .poll(() => lines.find((line) => line.includes(words)), { timeout: 60_000, message: words })
        .toBeDefined()
        .then(() => lines.find((line) => line.includes(words)) ?? ''),
    lines,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

it('init and generate prepare the project', async () => {
  expect((await npx('rowcast', 'init')).stdout).toContain('npx prisma generate')
  expect((await npx('prisma', 'generate')).stdout).toContain('Generated rowcast catalog')
  expect(await readFile(join(folder, 'rowcast.config.ts'), 'utf8')).toContain('./generated/rowcast.ts')
})

it('doctor says that changes can flow', async () => {
  expect((await npx('rowcast', 'doctor')).stdout).toContain('Changes can flow.')
})

it('serve shows a change to a subscriber, and the live page', async () => {
  await using server = start('node', ['node_modules/rowcast/dist/cli/main.js', 'serve'])
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
  expect(await (await fetch(url, { headers: { accept: 'text/html' } })).text()).toContain('rowcast')
})

it('a worker of ten lines is told, and typed', async () => {
  await writeFile(join(folder, 'worker.ts'), WORKER)
  await writeFile(join(folder, 'mistakes.ts'), MISTAKES)
  for (const moduleResolution of ['nodenext', 'bundler']) {
    const compilerOptions = {
      ...{
        strict: true,
        noEmit: true,
        target: 'es2023',
        lib: ['es2023', 'esnext.disposable'],
        types: ['node'],
      },
      ...{ allowImportingTsExtensions: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
      ...{ module: moduleResolution === 'bundler' ? 'preserve' : 'nodenext', moduleResolution },
    }
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['worker.ts', 'mistakes.ts', 'rowcast.config.ts'] }),
    )
    const { stdout } = await npx('tsc').catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  }
  await using worker = start('node', ['--import', 'tsx', 'worker.ts'])
  await worker.said('ready')
  await database.query(
    `INSERT INTO "Order" (customer, total, status) VALUES ('Bob', 3, 'PAID'), ('Cy', 4, 'OPEN')`,
  )
  await database.query(`DELETE FROM "Order" WHERE customer <> 'Ada'`)
  await worker.said('- 3 Cy')
  expect(worker.lines.filter((line) => /^[+-]/.test(line))).toEqual(['+ Cy 4.00 null', '- 3 Cy null'])
})

it('no entry of the package does anything when it is imported', async () => {
  // Prisma's runtime, which is a peer, puts some names of its own there.
  const probe = `await import('@prisma/client/runtime/client')
    const before = Object.keys(globalThis).length
    for (const entry of ['rowcast', 'rowcast/pothos', 'rowcast/client']) await import(entry)
    const handles = process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe|File|FSReq|CloseReq/.test(name))
    console.log(JSON.stringify([Object.keys(globalThis).length - before, handles]))`
  const { stdout, stderr } = await run('node', ['--input-type=module', '-e', probe], { cwd: folder })
  expect([stdout.trim(), stderr]).toEqual(['[0,[]]', ''])
})

it('disable leaves nothing behind', async () => {
  await npx('rowcast', 'disable', '--yes')
  await run('npx', ['rowcast', 'disable', '--yes'], { cwd: folder, env: { ...env, ROWCAST_SLOT: 'worker' } })
  expect(await database.query('SELECT FROM pg_publication')).toEqual([])
  expect(
    await database.query('SELECT FROM pg_replication_slots WHERE database = current_database()'),
  ).toEqual([])
})
