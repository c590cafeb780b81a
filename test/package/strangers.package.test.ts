/**
 * Strangers' projects, with their own package.json and tsconfig.json, on Node.js 20 and a newer one: `init`, `prisma generate`, their type check (with the
 * example of a policy), `serve`, and a change that arrives. Prints what ran on what as a table. One set of versions a day, or the one that `ROWCAST_VERSIONS=2`
 * names; `ROWCAST_LONG=1` runs all of them. Runs after `npm run build`; the registry must be reachable.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackageStore, type PackageStore, type PackedProject } from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

/** What projects are made with. */
interface Versions {
  /** Of Node.js, beside 20. */
  readonly node: 22 | 24 | 26
  readonly prisma: '6.16' | '6.19' | '7.10'
  readonly typescript: '5.9' | '7.0'
}

/** Each version stands beside each other kind in one of them, as far as four go. */
const ALL: readonly Versions[] = [
  { node: 24, prisma: '7.10', typescript: '5.9' },
  { node: 22, prisma: '6.19', typescript: '7.0' },
  { node: 26, prisma: '6.16', typescript: '5.9' },
  { node: 26, prisma: '7.10', typescript: '7.0' },
]
function chosen(): readonly Versions[] {
  if (process.env['ROWCAST_LONG'] === '1') return ALL
  // Another set each day.
  const index = Number(process.env['ROWCAST_VERSIONS'] ?? Math.floor(Date.now() / 86_400_000)) % ALL.length
  return ALL.slice(index, index + 1)
}

let database: TestDatabase
const NEWER_NODE = `node-${process.platform}-${process.arch}`
/** What has passed, for people. */
const passed: string[] = []

beforeAll(async () => {
  database = await openDatabase()
  await database.query(`CREATE TYPE "Status" AS ENUM ('OPEN', 'PAID')`)
  await database.query(
    `CREATE TABLE "Order" (id serial PRIMARY KEY, customer text NOT NULL, status "Status" NOT NULL DEFAULT 'OPEN')`,
  )
}, 300_000)
afterAll(async () => {
  await database?.[Symbol.asyncDispose]()
  process.stdout.write(`\n${passed.join('\n')}\n`)
})

const MODELS = `enum Status {
  OPEN
  PAID
}

model Order {
  id       Int    @id @default(autoincrement())
  customer String
  status   Status @default(OPEN)
}
`

/** Prisma 6 reads the address from the schema. */
const datasource = ({ prisma }: Versions) =>
  `datasource db {\n  provider = "postgresql"\n${prisma.startsWith('6') ? '  url = env("DATABASE_URL")\n' : ''}}\n`

/** A generator of the client, which holds what a careless reader stumbles over. */
const client = (provider: string, ...options: string[]) =>
  `generator client {\n  provider = "${provider}" // }\n${options.map((line) => `  ${line}\n`).join('')}}\n`
const modern = (...options: string[]) =>
  client('prisma-client', 'output = "../src/generated/prisma"', ...options)

interface Row {
  readonly name: string
  /** Of package.json. */
  readonly type?: 'module' | 'commonjs'
  /** Of tsconfig.json; none for JavaScript. */
  readonly options?: object
  readonly generator: string
  readonly node: 20 | 'newer'
  readonly graphql?: 17
  /** TypeScript 7 does not know these options any more. */
  readonly isOld?: boolean
}

const bundler = { module: 'esnext', moduleResolution: 'bundler' }

const ROWS: readonly Row[] = [
  {
    name: 'CommonJS without type, node10',
    options: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true },
    ...{ generator: modern('moduleFormat = "cjs"'), node: 20, isOld: true },
  },
  {
    // What `npm init` and `tsc --init` write.
    ...{ name: 'CommonJS, node16, verbatimModuleSyntax', type: 'commonjs' },
    options: { module: 'node16', verbatimModuleSyntax: true },
    ...{ generator: modern(), node: 'newer' },
  },
  {
    name: "CommonJS without type, nodenext, as Nest's",
    options: { module: 'nodenext', experimentalDecorators: true, emitDecoratorMetadata: true },
    ...{ generator: client('prisma-client-js', 'output = "../src/generated/prisma"'), node: 20 },
  },
  {
    ...{ name: 'ESM, nodenext, graphql 17', type: 'module', options: { module: 'nodenext' } },
    ...{ generator: modern(), node: 'newer', graphql: 17 },
  },
  {
    ...{ name: 'ESM, nodenext, imports with .ts', type: 'module' },
    options: { module: 'nodenext', allowImportingTsExtensions: true, verbatimModuleSyntax: true },
    ...{ generator: modern('importFileExtension = "ts"'), node: 'newer' },
  },
  {
    name: 'Next.js',
    options: {
      ...{ ...bundler, lib: ['dom', 'dom.iterable', 'esnext'], allowJs: true, esModuleInterop: true },
      ...{ isolatedModules: true, jsx: 'preserve', resolveJsonModule: true, paths: { '@/*': ['./src/*'] } },
    },
    ...{ generator: modern(), node: 20 },
  },
  { name: 'JavaScript', generator: client('prisma-client-js'), node: 20 },
]

const WORKER = `import { createJiti } from 'jiti'
import { createRowcast } from 'rowcast'
const { catalog } = await createJiti(import.meta.url, { nativeModules: ['rowcast'] }).import('./generated/rowcast.ts')
const rowcast = createRowcast({ connectionString: process.env.DATABASE_URL, catalog }).register('Order')
await rowcast.enable()
rowcast.start()
await rowcast.ready()
console.log('reads')
for await (const { new: row } of rowcast.subscribe('Order')) console.log('got', row.customer, row.status)
`

const tsconfig = (options: object) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
      ...options,
    },
  })

function nodeOf({ folder }: PackedProject, node: Row['node']): string {
  return node === 20 ? process.execPath : join(folder, 'node_modules', NEWER_NODE, 'bin/node')
}

/** Runs `rowcast` with the row's Node.js, as npx would. */
const rowcast = (project: PackedProject, node: Row['node'], ...args: string[]) =>
  [nodeOf(project, node), [join(project.folder, 'node_modules/rowcast/dist/cli/main.js'), ...args]] as const

async function expectChange(project: PackedProject, node: Row['node']): Promise<void> {
  await using server = project.start(...rowcast(project, node, 'serve'))
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
  const document = `subscription ($customer: String!) {
    orderChanged(where: { customer: { equals: $customer } }) { action new { customer status } }
  }`
  const stream = await subscribeSse(url, document, { customer: 'Ada' })
  await database.query(`INSERT INTO "Order" (customer) VALUES ('Bob'), ('Ada')`)
  expect(await stream.next()).toEqual({
    data: { orderChanged: { action: 'INSERT', new: { customer: 'Ada', status: 'OPEN' } } },
  })
  stream.unsubscribe()
}

/** The config with its example in force, which is to compile as well. */
async function writeExample({ folder }: PackedProject): Promise<void> {
  const extension = existsSync(join(folder, 'rowcast.config.mts')) ? 'mts' : 'ts'
  const text = await readFile(join(folder, `rowcast.config.${extension}`), 'utf8')
  const example = text.replace(/^ {2}\/\/ (context|models): /gm, '  $1: ').replace('  models: "all",\n', '')
  expect(example).toContain('models: { Order: { rows:')
  await writeFile(join(folder, `example.config.${extension}`), example)
}

/** With a driver adapter Prisma 6 needs no engine of its own, where that is said. */
const engineOf = ({ prisma }: Versions, generator: string) =>
  prisma.startsWith('6') ? generator.replace(/\}\n$/, '  engineType = "client"\n}\n') : generator

describe.each(chosen())('Node.js $node, Prisma $prisma, TypeScript $typescript:', (versions) => {
  const schemaOf = (generator: string) =>
    `${datasource(versions)}\n${engineOf(versions, generator)}\n${MODELS}`
  let store: PackageStore
  beforeAll(async () => {
    store = await createPackageStore([
      ...['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~${versions.prisma}`),
      ...['graphql@16', 'graphql-17@npm:graphql@17', '@pothos/core', '@pothos/plugin-prisma'],
      ...[`typescript@~${versions.typescript}`, '@types/node@20', `${NEWER_NODE}@${versions.node}`],
    ])
  }, 300_000)
  afterAll(() => store?.[Symbol.asyncDispose]())

  it.each(ROWS.filter(({ isOld }) => isOld !== true || versions.typescript === '5.9'))(
    '$name',
    async (row) => {
      const { type, options, node, graphql } = row
      const schema = schemaOf(row.generator)
      await using project = await store.open(
        {
          'package.json': JSON.stringify({ private: true, type }),
          'prisma/schema.prisma': schema,
          ...(options === undefined ? {} : { 'tsconfig.json': tsconfig(options) }),
        },
        { DATABASE_URL: database.url, PORT: '0' },
      )
      const packages = join(project.folder, 'node_modules')
      if (graphql === 17) {
        await rm(join(packages, 'graphql'), { recursive: true })
        await rename(join(packages, 'graphql-17'), join(packages, 'graphql'))
      }
      await project.run(...rowcast(project, node, 'init'))
      await project.run('npx', ['prisma', 'generate'])
      await writeExample(project)
      if (options !== undefined) {
        const { stdout } = await project.run('npx', ['tsc']).catch((error: { stdout: string }) => error)
        expect(stdout).toBe('')
      }
      await expectChange(project, node)
      const runs = `Node.js ${node === 20 ? process.versions.node : versions.node}`
      passed.push(
        `passed: ${[runs, `Prisma ${versions.prisma}`, `TypeScript ${versions.typescript}`, row.name].join(', ')}`,
      )
    },
  )

  // Its own engine comes from nowhere but Prisma's server: what is tried is the library, by the address, and what Prisma generates for a client that has one.
  if (versions.prisma.startsWith('6')) {
    it('a worker without a driver adapter', async () => {
      await using project = await store.open(
        {
          'package.json': JSON.stringify({ private: true, type: 'module' }),
          'schema.prisma': `${datasource(versions)}\n${client('prisma-client-js')}
generator rowcast {
  provider = "rowcast-generator"
  output   = "./generated/rowcast.ts"
}\n\n${MODELS}`,
          'worker.mjs': WORKER,
        },
        { DATABASE_URL: database.url },
      )
      // Any file there is: it would be downloaded, and is not used.
      const env = { PRISMA_QUERY_ENGINE_LIBRARY: '/bin/true' }
      await project.run('npx', ['prisma', 'generate', '--no-engine'], env)
      await using worker = project.start(process.execPath, ['worker.mjs'])
      await worker.said('reads')
      await database.query(`INSERT INTO "Order" (customer) VALUES ('Cy')`)
      await worker.said('got Cy OPEN')
      passed.push(
        `passed: Node.js ${process.versions.node}, Prisma ${versions.prisma}, a worker without a driver adapter`,
      )
    })
  }

  it('a monorepo: the client in a package of its own', async () => {
    await using project = await store.open(
      {
        'package.json': JSON.stringify({ private: true, workspaces: ['packages/*'] }),
        'packages/db/package.json': JSON.stringify({
          name: '@shop/db',
          type: 'module',
          exports: './index.ts',
        }),
        'packages/db/index.ts': "export * from './generated/client.js'\n",
        'packages/db/prisma.config.ts': "export default { schema: 'schema.prisma' }\n",
        'packages/db/schema.prisma': `${datasource(versions)}\n${engineOf(versions, client('prisma-client', 'output = "./generated"'))}
  generator rowcast {
    provider = "rowcast-generator"
    output   = "./catalog.ts"
  }\n\n${MODELS}`,
        'apps/api/package.json': JSON.stringify({ name: 'api', dependencies: { '@shop/db': '*' } }),
        'apps/api/rowcast.config.ts': `import { PrismaPg } from '@prisma/adapter-pg'
  import { PrismaClient } from '@shop/db'
  import { defineConfig } from 'rowcast'
  import { catalog } from '../../packages/db/catalog'
  const createPrisma = (connectionString: string) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  export default defineConfig({ catalog, createPrisma, models: 'all' })
  `,
      },
      { DATABASE_URL: database.url, PORT: '0' },
    )
    await mkdir(join(project.folder, 'node_modules/@shop'))
    await symlink(join(project.folder, 'packages/db'), join(project.folder, 'node_modules/@shop/db'))
    await project.run('npx', ['prisma', 'generate', '--config', 'packages/db/prisma.config.ts'])
    const api = join(project.folder, 'apps/api')
    const atApi: PackedProject = {
      ...project,
      start: (command, args, env) =>
        project.start('sh', ['-c', `cd ${api} && exec "$0" "$@"`, command, ...args], env),
    }
    await expectChange(atApi, 20)
  })

  it('without the peers `serve` says in one sentence what to install, and the other commands work', async () => {
    await using project = await store.open(
      {
        ...{ 'package.json': JSON.stringify({ private: true, type: 'module' }), 'yarn.lock': '' },
        'prisma/schema.prisma': schemaOf(modern()),
      },
      { DATABASE_URL: database.url, PORT: '0' },
    )
    for (const name of ['graphql', '@pothos'])
      await rm(join(project.folder, 'node_modules', name), { recursive: true })
    const { stdout } = await project.run(...rowcast(project, 20, 'init'))
    expect(stdout).toMatch(/yarn add graphql\S* @pothos\/core @pothos\/plugin-prisma/)
    await project.run('npx', ['prisma', 'generate'])
    const { stderr, code } = await project.fail(...rowcast(project, 20, 'serve'))
    expect(code).toBe(1)
    expect(stderr).toContain('CLI_PEER_MISSING')
    expect(stderr).toMatch(/Run `yarn add graphql@16 @pothos\/core @pothos\/plugin-prisma`/)
    expect(stderr).not.toContain('    at ')
    const replayed = await project.fail(...rowcast(project, 20, 'replay', 'changes.rec', '--serve'))
    expect(replayed.stderr).toContain('CLI_PEER_MISSING')
    const { stdout: help } = await project.run(...rowcast(project, 20, '--help'))
    const [, page = ''] = /Docs: (\S+)/.exec(help) ?? []
    expect(await readFile(page, 'utf8')).toContain('# The command line')
    expect(dirname(page)).toContain('node_modules/rowcast')
  })
})
