/**
 * "Add rowcast to …": each page as a stranger follows it, with the packed tarball: the block for the Prisma schema, and its program as it stands there, with
 * the server that the page is about. Runs after `npm run build`.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { serveGateway, serveTeam, subgraphOf } from '../servers/hive-gateway.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLinkedProject, type PackedProject, ROOT, userSchema } from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

const pageOf = (name: string) => readFile(join(ROOT, 'docs', name), 'utf8')
const blockOf = (text: string, language: string) =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? ''

let database: TestDatabase
let project: PackedProject
beforeAll(async () => {
  database = await openDatabase()
  await database.query('CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE NOT NULL)')
  const first = await pageOf('add-to-apollo-server.md')
  project = await openLinkedProject(
    {
      'package.json': '{ "private": true, "type": "module" }',
      'schema.prisma': `${userSchema('./generated/prisma')}\n${blockOf(first, 'prisma')}`,
      // What projects of Nest have.
      'tsconfig.json':
        '{ "compilerOptions": { "target": "es2023", "module": "nodenext", "experimentalDecorators": true } }',
    },
    { DATABASE_URL: database.url, NODE_ENV: 'development' },
  )
  await project.run('prisma', ['generate'])
}, 300_000)
afterAll(async () => {
  await project?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

it.each([
  ['add-to-apollo-server.md', true],
  ['add-to-nestjs.md', true],
  ['add-to-yoga.md', true],
  ['add-to-fastify.md', false],
])('%s', { timeout: 240_000 }, async (page, hasUsers) => {
  const port = await freePort()
  await project.write('server.ts', blockOf(await pageOf(page), 'ts').replace('4000', String(port)))
  await using server = project.start('tsx', ['server.ts'])
  const url = `http://localhost:${port}/graphql`
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    shouldRetry: () => true,
  })
  const query = 'subscription { userChanged(action: INSERT) { action old { email } new { id email } } }'
  const begun = new AbortController()
  const seen = Promise.race([
    client.iterate({ query }).next(),
    server.ended.then(() => Promise.reject(new Error(`${page} ended:\n${server.lines.join('\n')}`))),
  ]).finally(() => begun.abort())
  // Nobody says when a subscription has begun: until it has, users come.
  for (let n = 0; !begun.signal.aborted; n += 1) {
    await database.query('INSERT INTO "User" (email) VALUES ($1)', [`${page}-${n}@example.com`])
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 100))]).catch(() => undefined)
  }
  const inserted = { id: expect.any(String), email: expect.stringMatching(page) }
  expect(((await seen) as IteratorResult<unknown>).value).toEqual({
    data: { userChanged: { action: 'INSERT', old: null, new: inserted } },
  })
  // What the server had before is there.
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: hasUsers ? '{ users { email } }' : '{ hello }' }),
  })
  const { data } = (await response.json()) as { data: { users?: unknown[]; hello?: null } }
  const first = { email: `${page}-0@example.com` }
  if (hasUsers) expect(data.users).toContainEqual(first)
  else {
    expect(data).toEqual({ hello: null })
    expect(await (await fetch(url.replace('graphql', 'users'))).json()).toContainEqual(first)
  }
  await client.dispose()
})

it('subgraph.md', { timeout: 240_000 }, async () => {
  const [, command = ''] = /`npx (rowcast serve[^`]*)`/.exec(await pageOf('subgraph.md')) ?? []
  await project.run('rowcast', ['init'])
  const [program = '', ...args] = command.split(' ')
  await using server = project.start(program, args, { PORT: '0' })
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  await using team = await serveTeam(
    'type Query { hello: String } type User @key(fields: "id") { id: ID! nickname: String! }',
    { User: { nickname: ({ id }: { id: string }) => `nick ${id}` } },
  )
  await using gateway = await serveGateway([await subgraphOf(url), team], { upstream: 'websocket' })
  const changes = await subscribeSse(gateway.url, 'subscription { userChanged { new { email nickname } } }')
  const first = changes.next()
  const begun = new AbortController()
  const seen = first.finally(() => begun.abort())
  // Nobody says when a subscription has begun through a gateway.
  for (let n = 0; !begun.signal.aborted; n += 1) {
    await database.query('INSERT INTO "User" (email) VALUES ($1)', [`gateway-${n}@example.com`])
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  expect(await first).toEqual({
    data: {
      userChanged: {
        new: { email: expect.stringMatching('gateway-'), nickname: expect.stringMatching('nick ') },
      },
    },
  })
  changes.unsubscribe()
})
