/**
 * Strangers' projects, with their own package.json and tsconfig.json, on Node.js 20 and 24: `init`, `prisma generate`, their type check (with the
 * example of a policy), `serve`, and a change that arrives. docs/getting-started.md has them as a table.
 * Runs after `npm run build`; the registry must be reachable.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackageStore, type PackageStore, type PackedProject } from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

let store: PackageStore
let database: TestDatabase

const PRISMA = ['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`)
const NODE_24 = `node-${process.platform}-${process.arch}`

beforeAll(async () => {
  database = await openDatabase()
  await database.query(`CREATE TYPE "Status" AS ENUM ('OPEN', 'PAID')`)
  await database.query(
    `CREATE TABLE "Order" (id serial PRIMARY KEY, customer text NOT NULL, status "Status" NOT NULL DEFAULT 'OPEN')`,
  )
  store = await createPackageStore([
    ...[...PRISMA, 'graphql@16', 'graphql-17@npm:graphql@17', '@pothos/core', '@pothos/plugin-prisma'],
    ...['typescript@~5.9', '@types/node@20', `${NODE_24}@24`],
  ])
}, 300_000)
afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
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
  readonly major: 20 | 24
  readonly graphql?: 17
}

const bundler = { module: 'esnext', moduleResolution: 'bundler' }

const ROWS: readonly Row[] = [
  {
    name: 'CommonJS without type, node10',
    options: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true },
    ...{ generator: modern('moduleFormat = "cjs"'), major: 20 },
  },
  {
    // What `npm init` and `tsc --init` write.
    ...{ name: 'CommonJS, node16, verbatimModuleSyntax', type: 'commonjs' },
    options: { module: 'node16', verbatimModuleSyntax: true },
    ...{ generator: modern(), major: 24 },
  },
  {
    name: "CommonJS without type, nodenext, as Nest's",
    options: { module: 'nodenext', experimentalDecorators: true, emitDecoratorMetadata: true },
    ...{ generator: client('prisma-client-js', 'output = "../src/generated/prisma"'), major: 20 },
  },
  {
    ...{ name: 'ESM, nodenext, graphql 17', type: 'module', options: { module: 'nodenext' } },
    ...{ generator: modern(), major: 24, graphql: 17 },
  },
  {
    ...{ name: 'ESM, nodenext, imports with .ts', type: 'module' },
    options: { module: 'nodenext', allowImportingTsExtensions: true, verbatimModuleSyntax: true },
    ...{ generator: modern('importFileExtension = "ts"'), major: 24 },
  },
  {
    name: 'Next.js',
    options: {
      ...{ ...bundler, lib: ['dom', 'dom.iterable', 'esnext'], allowJs: true, esModuleInterop: true },
      ...{ isolatedModules: true, jsx: 'preserve', resolveJsonModule: true, paths: { '@/*': ['./src/*'] } },
    },
    ...{ generator: modern(), major: 20 },
  },
  { name: 'JavaScript', generator: client('prisma-client-js'), major: 20 },
]

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

function nodeOf({ folder }: PackedProject, major: Row['major']): string {
  return major === 24 ? join(folder, 'node_modules', NODE_24, 'bin/node') : process.execPath
}

/** Runs `rowcast` with the row's Node.js, as npx would. */
const rowcast = (project: PackedProject, major: Row['major'], ...args: string[]) =>
  [nodeOf(project, major), [join(project.folder, 'node_modules/rowcast/dist/cli/main.js'), ...args]] as const

async function expectChange(project: PackedProject, major: Row['major']): Promise<void> {
  await using server = project.start(...rowcast(project, major, 'serve'))
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

it.each(ROWS)('$name', async ({ type, options, generator, major, graphql }) => {
  const schema = `datasource db {\n  provider = "postgresql"\n}\n\n${generator}\n${MODELS}`
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
  await project.run(...rowcast(project, major, 'init'))
  await project.run('npx', ['prisma', 'generate'])
  await writeExample(project)
  if (options !== undefined) {
    const { stdout } = await project.run('npx', ['tsc']).catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  }
  await expectChange(project, major)
})

it('a monorepo: the client in a package of its own', async () => {
  await using project = await store.open(
    {
      'package.json': JSON.stringify({ private: true, workspaces: ['packages/*'] }),
      'packages/db/package.json': JSON.stringify({ name: '@shop/db', type: 'module', exports: './index.ts' }),
      'packages/db/index.ts': "export * from './generated/client.js'\n",
      'packages/db/prisma.config.ts': "export default { schema: 'schema.prisma' }\n",
      'packages/db/schema.prisma': `datasource db {\n  provider = "postgresql"\n}\n\n${client('prisma-client', 'output = "./generated"')}
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
      'prisma/schema.prisma': `datasource db {\n  provider = "postgresql"\n}\n\n${modern()}\n${MODELS}`,
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
