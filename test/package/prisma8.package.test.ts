/**
 * A project of Prisma 8 on the packed tarball: its contract is emitted, `rowcast generate` reads it, Prisma 8 makes the tables, `rowcast serve` serves a
 * schema of the project's own, and what Prisma 8's client writes arrives. Prisma 8's command line (1.2 GB) is left out: what is called is what it calls.
 * Runs after `npm run build`; the registry must be reachable.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { createPackageStore, ROOT } from '../support/packed-project.ts'
import { createWsClient } from '../support/ws-client.ts'

/** As docs/projects.md has it. */
const CONFIG = `import { buildSchema } from 'graphql'
import { defineConfig } from 'rowcast'
import { addChanges } from 'rowcast/graphql'
import { catalog } from './src/generated/rowcast.ts'

export default defineConfig({
  catalog,
  createPrisma: () => ({ async $connect() {}, async $disconnect() {} }),
  schema: ({ feed, policies }) =>
    addChanges(buildSchema('type Query { hello: String }'), feed, {
      models: { Author: {}, Note: {} },
      policies,
    }),
  models: { Author: { public: true }, Note: { public: true } },
})
`

const EMIT = `import { defineConfig } from '@prisma/orm-postgres/config'
import { executeContractEmit } from '@prisma/orm-toolchain/cli/control-api'

const config = defineConfig({ contract: 'src/prisma/contract.prisma' })
await executeContractEmit({ config, cwd: process.cwd(), outputPath: 'src/prisma' })
`

/** \`db init\` of Prisma 8, or rows that its client writes. */
const WRITE = `import { mkdtempSync, readFileSync } from 'node:fs'
import { createPostgresControlClient } from '@prisma/orm-postgres/control'
import postgres from '@prisma/orm-postgres/runtime'

const url = process.env.DATABASE_URL
const contract = JSON.parse(readFileSync('src/prisma/contract.json', 'utf8'))
if (process.argv[2] === 'init') {
  const control = createPostgresControlClient({ connection: url })
  const migrationsDir = mkdtempSync('migrations-')
  const result = await control.dbInit({ contract, mode: 'apply', connection: url, migrationsDir })
  await control.close()
  if (!result.ok) throw new Error(JSON.stringify(result.failure))
} else {
  const db = postgres({ contractJson: contract, url })
  const { Author, Note } = db.orm.public
  const author = await Author.create({ email: 'ada@example.com', token: 'secret' })
  const note = await Note.create({
    ...{ title: 'One', state: 'draft', tags: ['a', 'b'], words: 9007199254740993n, price: '12.50' },
    ...{ at: '2026-11-29 01:02:03.456+00', data: { a: [1, null] }, authorId: author.id },
  })
  await Note.where({ id: note.id }).update({ state: 'published', price: null })
  await Note.where({ id: note.id }).delete()
  await db.close()
  console.log(note.id)
}
`

const DOCUMENT = `subscription ($after: Cursor!) {
  noteChanged(after: $after) { action changed old { state price } new { id title state tags words price at data authorId } }
}`

it('what the client of Prisma 8 writes arrives at a subscriber of `rowcast serve`', {
  timeout: 600_000,
}, async () => {
  await using database = await openDatabase()
  await using store = await createPackageStore([
    ...['@prisma/orm-postgres@8.0.0-rc.13', '@prisma/client@~7.10', 'graphql@16'],
  ])
  // A schema of one's own is served without Pothos.
  expect(existsSync(join(store.folder, 'node_modules/@pothos'))).toBe(false)
  await using project = await store.open(
    {
      'package.json': JSON.stringify({ private: true, type: 'module' }),
      'src/prisma/contract.prisma': await readFile(
        join(ROOT, 'test/contracts/notes/contract.prisma'),
        'utf8',
      ),
      'rowcast.config.ts': CONFIG,
      'emit.mjs': EMIT,
      'write.mjs': WRITE,
    },
    { DATABASE_URL: database.url, PORT: '0', NODE_ENV: 'production' },
  )
  const rowcast = (...args: readonly string[]) =>
    ['node', ['node_modules/rowcast/dist/cli/main.js', ...args]] as const
  await project.run('node', ['emit.mjs'])
  const { stdout } = await project.run(...rowcast('generate', '--output', 'src/generated/rowcast.ts'))
  expect(stdout).toContain('2 models, 1 enums')
  await project.run('node', ['write.mjs', 'init'])
  await project.run(...rowcast('enable'))

  await using server = project.start(...rowcast('serve'))
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  // What is written after this position arrives, whenever the subscription begins.
  const askCursor = async () => {
    const response = await fetch(`${url}/graphql`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ query: '{ changeCursor }' }),
    })
    return (await response.json()) as { readonly data?: { readonly changeCursor?: string } | null }
  }
  await expect.poll(askCursor, { timeout: 60_000 }).toEqual({ data: { changeCursor: expect.any(String) } })
  const { data } = await askCursor()
  const client = createWsClient(url)
  await client.connected()
  const changes = client.subscribe(DOCUMENT, { after: data?.changeCursor })
  const written = await project.run('node', ['write.mjs', 'rows'])
  const row = {
    ...{ id: written.stdout.trim(), title: 'One', state: 'draft', tags: ['a', 'b'], price: '12.50' },
    ...{ words: '9007199254740993', at: '2026-11-29T01:02:03.456Z', data: { a: [1, null] }, authorId: '1' },
  }
  expect(await changes.nextData()).toEqual({
    noteChanged: { action: 'INSERT', changed: expect.any(Array), old: null, new: row },
  })
  expect(await changes.nextData()).toMatchObject({
    noteChanged: {
      action: 'UPDATE',
      changed: expect.arrayContaining(['state', 'price']),
      new: { state: 'published', price: null },
    },
  })
  expect(await changes.nextData()).toMatchObject({ noteChanged: { action: 'DELETE', new: null } })
  await client.close()
})
