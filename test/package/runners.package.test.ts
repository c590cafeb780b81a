/**
 * What projects run their TypeScript with, on the packed tarball: a program, or a test, that makes a rowcast and gets a change whose decimal is of the
 * application's own class; in CommonJS and in ESM. One of them a day, or the one that `ROWCAST_RUNNER=2` names; `ROWCAST_LONG=1` runs all.
 * Runs after `npm run build`; the registry must be reachable.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackageStore, type PackageStore } from '../support/packed-project.ts'

const CUSTOMER = 'Ada'

/** What arrives. `EXT` is how the project's files name each other. */
const SHOP = `import { PrismaPg } from '@prisma/adapter-pg'
import { buildSchema } from 'graphql'
import { createRowcast, silentLogger } from 'rowcast'
import { addChanges } from 'rowcast/graphql'
import { createHandlers } from 'rowcast/server'
import { Prisma, PrismaClient } from './generated/prisma/clientEXT'
import { catalog } from './generated/rowcastEXT'

export async function firstOrder(): Promise<string> {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env['DATABASE_URL'] }) })
  const rowcast = createRowcast({ prisma, catalog }).register('Order')
  const schema = addChanges(buildSchema('type Query { a: Int }'), rowcast, { models: { Order: {} } })
  await createHandlers({ schema, logger: silentLogger }).close()
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  const next = rowcast.subscribe('Order', { action: 'INSERT' })[Symbol.asyncIterator]().next()
  await prisma.order.create({ data: { customer: '${CUSTOMER}', total: '12.50' } })
  const { new: row } = (await next).value!
  await rowcast.stop()
  await rowcast.disable()
  await prisma.$disconnect()
  return \`\${row.customer} \${row.total} \${row.total instanceof Prisma.Decimal}\`
}
`
const MAIN = `import { firstOrder } from './shopEXT'

firstOrder().then((text) => console.log('arrived: ' + text))
`
const TEST = `it('arrives', async () => {
  expect(await firstOrder()).toBe('${CUSTOMER} 12.5 true')
}, 60_000)
`

interface Runner {
  readonly name: string
  readonly type?: 'module'
  readonly command: string
  readonly files?: Readonly<Record<string, string>>
  /** What it prints; that of the program, where nothing is said. */
  readonly prints?: RegExp
  /** Where it cannot, what it says to do. */
  readonly says?: RegExp
}

const VITEST = {
  // As docs/projects.md has it.
  'vitest.config.mts': `import { createRequire } from 'node:module'
import { defineConfig } from 'vitest/config'

const graphql = createRequire(import.meta.url).resolve('graphql')
export default defineConfig({ resolve: { alias: [{ find: /^graphql$/, replacement: graphql }] } })
`,
  'src/shop.test.ts': `import { expect, it } from 'vitest'\nimport { firstOrder } from './shop'\n${TEST}`,
}
const JEST = { 'src/shop.test.ts': `import { firstOrder } from './shop'\n${TEST}` }
const PASSED = /Tests:? .*1 passed/

/** As docs/projects.md has it. */
const TRANSFORMED = `module.exports = {
  transform: { 'node_modules/rowcast/.+\\\\.js$': '@swc/jest', '^.+\\\\.(t|j)s$': 'ts-jest' },
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?rowcast/)'],
}
`

const RUNNERS: readonly Runner[] = [
  { name: 'ts-node, CommonJS', command: 'ts-node src/main.ts' },
  {
    ...{ name: 'ts-node, its loader', type: 'module' },
    command: 'node --loader ts-node/esm src/main.ts',
  },
  { name: 'tsx, CommonJS', command: 'tsx src/main.ts' },
  { name: 'tsx, ESM', type: 'module', command: 'tsx src/main.ts' },
  { name: 'SWC, CommonJS', command: 'node -r @swc-node/register src/main.ts' },
  {
    ...{ name: 'SWC, ESM', type: 'module' },
    command: 'node --import @swc-node/register/esm-register src/main.ts',
  },
  { name: 'tsc, CommonJS', command: 'tsc && node out/main.js' },
  { name: 'tsc, ESM', type: 'module', command: 'tsc && node out/main.js' },
  { name: 'Vitest, CommonJS', command: 'vitest run', files: VITEST, prints: PASSED },
  { name: 'Vitest, ESM', type: 'module', command: 'vitest run', files: VITEST, prints: PASSED },
  {
    ...{ name: 'Jest, ts-jest, as it is', command: 'jest', says: /Have it transformed/ },
    files: { ...JEST, 'jest.config.js': "module.exports = { preset: 'ts-jest' }\n" },
  },
  {
    ...{ name: 'Jest, ts-jest, as the page says', command: 'jest', prints: PASSED },
    files: { ...JEST, 'jest.config.js': TRANSFORMED },
  },
  {
    ...{ name: 'Jest, SWC alone', command: 'jest', prints: PASSED },
    files: { ...JEST, 'jest.config.js': TRANSFORMED.replace("'ts-jest'", "'@swc/jest'") },
  },
]

function chosen(): readonly Runner[] {
  if (process.env['ROWCAST_LONG'] === '1') return RUNNERS
  const named = process.env['ROWCAST_RUNNER']
  // Another one each day.
  const index = Number(named ?? Math.floor(Date.now() / 86_400_000)) % RUNNERS.length
  return RUNNERS.slice(index, index + 1)
}

const schemaFor = (type: Runner['type']) => `datasource db {
  provider = "postgresql"
}

generator client {
  provider     = "prisma-client"
  output       = "../src/generated/prisma"
  moduleFormat = "${type === undefined ? 'cjs' : 'esm'}"
}

generator rowcast {
  provider = "rowcast-generator"
  output   = "../src/generated/rowcast.ts"
}

model Order {
  id       Int     @id @default(autoincrement())
  customer String
  total    Decimal @default(0)
}
`

function tsconfigFor(type: Runner['type']): string {
  const modules =
    type === undefined
      ? { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }
      : { module: 'nodenext' }
  const shared = { target: 'es2022', strict: true, skipLibCheck: true, rootDir: 'src', outDir: 'out' }
  return JSON.stringify({
    compilerOptions: { ...shared, ...modules, types: ['node', 'jest'] },
    include: ['src'],
  })
}

let store: PackageStore
let database: TestDatabase
const passed: string[] = []
beforeAll(async () => {
  const names = new Set(chosen().map(({ name }) => name.split(',')[0]))
  store = await createPackageStore([
    ...['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`),
    ...['graphql@16', '@types/node@20', '@types/jest', 'typescript@~5.9'],
    ...(names.has('ts-node') ? ['ts-node@10'] : []),
    ...(names.has('tsx') ? ['tsx'] : []),
    ...(names.has('SWC') ? ['@swc/core', '@swc-node/register'] : []),
    ...(names.has('Vitest') ? ['vitest@4'] : []),
    ...(names.has('Jest') ? ['jest@30', 'ts-jest@29', '@swc/core', '@swc/jest'] : []),
  ])
  database = await openDatabase()
  await database.query(
    'CREATE TABLE "Order" (id serial PRIMARY KEY, customer text NOT NULL, total decimal(65,30) NOT NULL DEFAULT 0)',
  )
}, 600_000)
afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
  process.stdout.write(`\n${passed.join('\n')}\n`)
})

it.each(chosen())('$name', async ({ name, type, command, files = {}, prints, says }) => {
  const extension = type === undefined ? '' : '.js'
  await using project = await store.open(
    {
      'package.json': JSON.stringify({ private: true, type }),
      'prisma/schema.prisma': schemaFor(type),
      'tsconfig.json': tsconfigFor(type),
      'src/shop.ts': SHOP.replaceAll('EXT', extension),
      'src/main.ts': MAIN.replaceAll('EXT', extension),
      ...files,
    },
    { DATABASE_URL: database.url, PATH: `node_modules/.bin:${process.env['PATH']}` },
  )
  await project.run('prisma', ['generate'])
  const run = says === undefined ? project.run : project.fail
  const { stdout, stderr } = await run('sh', ['-c', command])
  expect(`${stdout}${stderr}`).toMatch(says ?? prints ?? new RegExp(`arrived: ${CUSTOMER} 12.5 true`))
  passed.push(`passed: ${name}`)
})
