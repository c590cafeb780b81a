/**
 * The packed tarball under Deno and Bun as the runtimes: a worker with the library, the service that the command line starts, and the client kit over
 * WebSockets and over event streams. The table of docs/projects.md.
 * Takes a minute: `ROWCAST_LONG=1 npm run test:package -- test/package/runtimes.package.test.ts`.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackedProject, type PackedProject, userSchema } from '../support/packed-project.ts'

const isLong = process.env['ROWCAST_LONG'] === '1'
const RUNTIMES = [
  ['deno', ['run', '-A']],
  ['bun', ['--bun', 'run']],
] as const

const WORKER = `import { PrismaPg } from '@prisma/adapter-pg'
import { createRowcast } from 'rowcast'
import { PrismaClient } from './generated/prisma/client.ts'
import { catalog } from './generated/rowcast.ts'
const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL })
const prisma = new PrismaClient({ adapter })
const rowcast = createRowcast({ prisma, catalog, slot: process.env.SLOT }).register('User')
await rowcast.enable()
rowcast.start()
await rowcast.ready()
console.log('reads')
for await (const change of rowcast.subscribe('User', { action: ['INSERT'] })) {
  const same = await prisma.user.findUnique({ where: { id: change.new.id } })
  console.log('worker got ' + JSON.stringify(change.new) + ' as Prisma Client: ' + (JSON.stringify(same) === JSON.stringify(change.new)))
  break
}
await rowcast.disable()
await rowcast.stop()
await prisma.$disconnect()
console.log('worker stopped')
`

const CLIENT = `import { createClient } from 'graphql-ws'
import { createLiveList, createSseClient, resumingConnectionParams } from 'rowcast/client'
const url = process.env.SERVICE
const clients = {
  websocket: createClient({ url: url.replace('http', 'ws') + '/graphql', connectionParams: resumingConnectionParams() }),
  sse: createSseClient({ url: url + '/graphql' }),
}
for (const [name, client] of Object.entries(clients)) {
  const list = createLiveList({
    client,
    async load() {
      const body = JSON.stringify({ query: '{ users(take: 200) { id email } }' })
      const response = await fetch(url + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      return (await response.json()).data.users
    },
    request: {
      query: 'subscription ($after: Cursor) { userChanged(after: $after) { action cursor key { rowId } old { rowId } new { id email } } }',
    },
    key: 'id',
    take: 200,
  })
  list.listen(() => console.log(name + ' ' + list.state.status + ' ' + list.state.rows.map((row) => row.email).join() + (list.state.error ?? '')))
}
`

let database: TestDatabase
let project: PackedProject

beforeAll(async () => {
  if (!isLong) return
  database = await openDatabase()
  await database.query('CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE NOT NULL)')
  project = await createPackedProject({
    env: {
      DATABASE_URL: database.url,
      PORT: '0',
      SLOT: `worker_${database.name}`,
      ROWCAST_SLOT: `serve_${database.name}`,
    },
    packages: [
      ...['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`),
      ...['graphql@16', 'graphql-ws', '@pothos/core', '@pothos/plugin-prisma', 'deno', 'bun'],
    ],
  })
  await project.write('schema.prisma', userSchema('./generated/prisma'))
  await project.run('npx', ['rowcast', 'init'])
  await project.run('npx', ['prisma', 'generate'])
  await project.write('worker.ts', WORKER)
  await project.write('client.ts', CLIENT)
}, 600_000)
afterAll(async () => {
  await project?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

it.skipIf(!isLong).each(RUNTIMES)(
  'a worker under %s gets the row that Prisma Client reads',
  async (name, args) => {
    await using worker = project.start(join(project.folder, 'node_modules/.bin', name), [
      ...args,
      'worker.ts',
    ])
    await worker.said('reads')
    await database.query(`INSERT INTO "User" (email) VALUES ('${name}@worker.example')`)
    expect(await worker.said('worker got')).toContain(`${name}@worker.example`)
    expect(await worker.said('worker got')).toContain('as Prisma Client: true')
    await worker.said('worker stopped')
  },
)

it.skipIf(!isLong).each(RUNTIMES)('the service and the client kit under %s', async (name, args) => {
  const program = join(project.folder, 'node_modules/.bin', name)
  await using server = project.start(program, [...args, 'node_modules/rowcast/dist/cli/main.js', 'serve'])
  const { url } = JSON.parse(await server.said('Listening.')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  await using client = project.start(program, [...args, 'client.ts'], { SERVICE: url })
  await client.said('websocket live')
  await client.said('sse live')
  await database.query(`INSERT INTO "User" (email) VALUES ('${name}@service.example')`)
  const shown = client.lines
  await expect
    .poll(() => shown.filter((line) => line.includes(`${name}@service.example`)).length, {
      timeout: 60_000,
      message: shown.join('\n'),
    })
    .toBeGreaterThanOrEqual(2)
})
