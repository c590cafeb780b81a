/**
 * "Add rowcast to …": each page as a stranger follows it, with the packed tarball: what it has one install and run, the block for the Prisma schema, and its
 * program as it stands there, with the server that the page is about. Runs after `npm run build`.
 */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { createJiti } from 'jiti'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import WebSocket from 'ws'
import {
  type GatewayConfig,
  type Subgraph,
  serveGateway,
  serveTeam,
  subgraphOf,
} from '../servers/hive-gateway.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import {
  linkPackage,
  openLinkedProject,
  type PackedProject,
  ROOT,
  userSchema,
} from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

const pageOf = (name: string) => readFile(join(ROOT, 'docs', name), 'utf8')
const blocksOf = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  )
const blockOf = (text: string, language: string) => blocksOf(text, language)[0] ?? ''

/** What the page has one run before its program, or before something that goes on running, in blocks and between the words. */
function commandsOf(page: string): readonly string[] {
  const before = page.slice(0, page.search(/^```ts$|\browcast serve$/m))
  return [...before.matchAll(/^```bash\n([\s\S]*?)^```|`((?:npm install|npx) [^`]+)`/gm)].flatMap(
    ([, block, inline = '']) => (block ?? inline).trim().split('\n'),
  )
}

/** The packages that lines import. */
function packagesOf(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const [, name = './'] = /^import (?:.* from )?'((?:@[^/']+\/)?[^/']+)/.exec(line) ?? []
    return /^(node:|\.|rowcast$)/.test(name) ? [] : [name]
  })
}

/** What every project with Prisma 7 has. */
const PRISMA = ['prisma', '@prisma/client']

interface Before {
  /** Packages beside those that the program imports in lines that are not new. */
  readonly has?: readonly string[] | undefined
  readonly schema?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
}

/**
 * The project as it was before somebody came to the page, and then what the page says: its packages, its block for the schema, its commands.
 * Nothing else is installed than what there was and what the page names.
 */
async function follow(page: string, before: Before = {}): Promise<PackedProject> {
  const text = await pageOf(page)
  const old = blockOf(text, 'ts')
    .split('\n')
    .filter((line) => !line.includes('// +'))
  const { has = [], schema = userSchema('./generated/prisma'), env } = before
  const project = await openLinkedProject(
    {
      'package.json': '{ "private": true, "type": "module" }',
      'schema.prisma': schema,
      // What projects of Nest have.
      'tsconfig.json':
        '{ "compilerOptions": { "target": "es2023", "module": "nodenext", "experimentalDecorators": true } }',
    },
    { DATABASE_URL: database.url, NODE_ENV: 'development', ...env },
    [...new Set([...PRISMA, ...has, ...packagesOf(old)])],
  )
  onTestFinished(() => project[Symbol.asyncDispose]())
  const generator = text.includes('](add-to-apollo-server.md)')
    ? await pageOf('add-to-apollo-server.md')
    : text
  if (!text.includes('rowcast init'))
    await project.write('schema.prisma', `${schema}\n${blockOf(generator, 'prisma')}`)
  const commands = commandsOf(text)
  expect(commands[0]).toMatch(/^npm install rowcast\b/)
  for (const command of commands) await runCommand(project, command)
  return project
}

/** `rowcast` is the packed one, which is there. */
async function runCommand(project: PackedProject, command: string): Promise<void> {
  const [program = '', verb = '', ...rest] = command.split(' ')
  if (program === 'npx') await project.run(verb, rest)
  else
    for (const name of rest.filter((each) => each !== 'rowcast'))
      await linkPackage(name.replace(/(?<=.)@.*$/, ''), join(project.folder, 'node_modules'))
}

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase()
  await database.query('CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE NOT NULL)')
}, 300_000)
afterAll(() => database?.[Symbol.asyncDispose]())

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

it.each([
  ['add-to-apollo-server.md', ['graphql'], true],
  [
    'add-to-nestjs.md',
    ['graphql', 'rxjs', '@nestjs/platform-express', '@apollo/server', '@as-integrations/express5'],
    true,
  ],
  ['add-to-yoga.md', ['graphql'], true],
  ['add-to-fastify.md', [], false],
])('%s', { timeout: 240_000 }, async (page, has, hasUsers) => {
  const port = await freePort()
  const project = await follow(page, { has })
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

/** The page's own configuration of the gateway, with what the page says of the supergraph left out. */
async function gatewayConfigOf(page: string, project: PackedProject): Promise<GatewayConfig> {
  const block = blocksOf(page, 'ts').find((each) => each.includes('gatewayConfig')) ?? ''
  await project.write('gateway.config.ts', block)
  const file = join(project.folder, 'gateway.config.ts')
  const module = await createJiti(import.meta.url).import<{ gatewayConfig: GatewayConfig }>(file)
  const { propagateHeaders, transportEntries } = module.gatewayConfig
  return { propagateHeaders, transportEntries }
}

/** What the page's command writes; without `jq` here, the same question asked by hand. */
async function subgraphBy(page: string, url: string, project: PackedProject): Promise<Subgraph> {
  if (spawnSync('jq', ['--version']).status !== 0) return subgraphOf(url)
  const [, command = ''] = /`(curl [^`]*)`/.exec(page) ?? []
  await project.run('sh', ['-c', command.replace('127.0.0.1:4000', new URL(url).host)])
  const sdl = await readFile(join(project.folder, 'rowcast.graphql'), 'utf8')
  return { name: 'rowcast', url: `${url}/graphql`, sdl }
}

// Its composition is done by the composers' own libraries: Mesh's program and the gateway's are 520 MB. They were run as the page has them in November 2026.
it('subgraph.md', { timeout: 240_000 }, async () => {
  const page = await pageOf('subgraph.md')
  const [, command = ''] = /`npx (rowcast serve[^`]*)`/.exec(page) ?? []
  const project = await follow('getting-started.md')
  const [program = '', ...args] = command.split(' ')
  await using server = project.start(program, args, { PORT: '0' })
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  await using team = await serveTeam(
    'type Query { hello: String } type User @key(fields: "id") { id: ID! nickname: String! }',
    { User: { nickname: ({ id }: { id: string }) => `nick ${id}` } },
  )
  const config = await gatewayConfigOf(page, project)
  await using gateway = await serveGateway([await subgraphBy(page, url, project), team], { config })
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

const POTHOS = `generator pothos {
  provider     = "prisma-pothos-types"
  clientOutput = "./prisma/client"
  output       = "./generated/pothos.ts"
}
`

it('getting-started.md: a Pothos schema, and a worker', { timeout: 240_000 }, async () => {
  const schema = `${userSchema('./generated/prisma')}\n${POTHOS}`
  const project = await follow('getting-started.md', { schema })
  const programs = blocksOf(await pageOf('getting-started.md'), 'ts')
  // "prisma is your Prisma Client": a schema has a slot of its own beside the worker, as the page says of more than one process.
  const yours = `import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from './generated/prisma/client.ts'
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env['DATABASE_URL'] }) })
`
  const [pothos, worker] = ['rowcast/pothos', 'for await'].map((words) =>
    programs.find((each) => each.includes(words)),
  )
  await project.write(
    'schema.ts',
    `${yours}${pothos}
import { printSchema } from 'graphql'
console.log(printSchema(schema))
await rowcast.disable()
await rowcast.stop()
process.exit()
`,
  )
  const { stdout } = await project.run('tsx', ['schema.ts'])
  expect(stdout).toContain('userChanged(')
  await project.write('worker.ts', `${yours}${worker}`)
  await using running = project.start('tsx', ['worker.ts'])
  await untilSaid(running, 'worker-')
})

/** Nobody says when a subscription has begun: users come until the program has printed one. */
async function untilSaid(
  program: { readonly lines: readonly string[]; readonly ended: Promise<unknown> },
  name: string,
) {
  let hasEnded = false
  void program.ended.then(() => {
    hasEnded = true
  })
  for (let n = 0; !program.lines.some((line) => line.includes(name)); n += 1) {
    if (hasEnded) throw new Error(program.lines.join('\n'))
    await database.query('INSERT INTO "User" (email) VALUES ($1)', [`${name}${n}@example.com`])
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

it('better-auth.md', { timeout: 240_000 }, async () => {
  await using own = await openDatabase()
  const folder = join(ROOT, 'examples/better-auth/prisma')
  await own.query(await readFile(join(folder, 'migrations/20260101000000_shop/migration.sql'), 'utf8'))
  const schema = (await readFile(join(folder, 'schema.prisma'), 'utf8'))
    .replace(/generator rowcast [^}]*}/, '')
    .replace('../generated', './generated')
  const port = await freePort()
  const auth = `http://127.0.0.1:${port}/api/auth`
  const project = await follow('better-auth.md', {
    schema,
    env: {
      ...{ DATABASE_URL: own.url, BETTER_AUTH_URL: `http://127.0.0.1:${port}` },
      BETTER_AUTH_SECRET: 'QmPz7xK2vL9wR4tY8uN3sD6fG1hJ5kB0',
    },
  })
  const program = blockOf(await pageOf('better-auth.md'), 'ts')
  await project.write(
    'server.ts',
    `${program.replace('createServer({', `createServer({ port: ${port},`)}\nconsole.log('listens')\n`,
  )
  await using server = project.start('tsx', ['server.ts'])
  await Promise.race([
    server.said('listens'),
    server.ended.then(() => Promise.reject(new Error(server.lines.join('\n')))),
  ])
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${auth}/${path}`, {
      ...{ method: 'POST', body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${port}`, ...headers },
    })
  const answer = await post('sign-up/email', {
    name: 'Ada',
    email: 'ada@example.com',
    password: 'correct horse battery',
  })
  const cookie = answer.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
  const url = `http://127.0.0.1:${port}`
  const document = 'subscription { userChanged(initial: true) { action new { name } } }'
  expect((await subscribeSse(url, document)).status).toBe(401)
  const events = await subscribeSse(url, document, {}, 'POST', { cookie })
  expect(await events.next()).toMatchObject({ data: { userChanged: { new: { name: 'Ada' } } } })
  expect((await post('sign-out', {}, { cookie })).status).toBe(200)
  for (;;) {
    const { errors } = await events.next()
    if (errors === undefined) continue
    expect(errors).toMatchObject([{ extensions: { code: 'SESSION_REVOKED' } }])
    break
  }
})
