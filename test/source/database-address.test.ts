import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import pg from 'pg'
import { expect, test } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { isRowcastError } from '../../src/errors.ts'
import {
  connectionTargetFromPrisma,
  describeTarget,
  parseConnectionTarget,
  resolveConnectionTarget,
} from '../../src/source/db/database-address.ts'

/** What counts of a client: where it would connect, and as whom. */
function readClient(client: pg.Client) {
  const { host, port, user, database, password, ssl } = client
  return { host, port, user, database, password: password ?? undefined, ssl }
}

function caught(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

test.each([
  'postgresql://ada:secret@db.example.com:6543/app',
  'postgres://ada:secret@db.example.com/app',
  'postgres://ada@localhost',
  'postgresql://a%40b:p%23%2F%3F%40%25@localhost:5432/my%20app?schema=public&connection_limit=5&pgbouncer=true',
  'postgresql://ada:secret@[::1]:5433/app',
  'postgresql://ada:secret@localhost/app?host=/var/run/postgresql',
  'postgresql://ada:secret@%2Fvar%2Frun%2Fpostgresql/app',
  'socket://ada:secret@/var/run/postgresql?db=app',
  'postgresql://ada:secret@db/app?sslmode=disable',
  'postgresql://ada:secret@db/app?sslmode=no-verify',
  'postgresql://ada:secret@db/app?sslmode=verify-full',
  'postgresql://ada:secret@db/app?sslmode=require&uselibpqcompat=true',
  'postgresql://ada:secret@db/app?ssl=true&sslnegotiation=direct',
])('%s means to rowcast what it means to pg', (url) => {
  const target = parseConnectionTarget(url)
  expect(readClient(new pg.Client({ ...target }))).toEqual(readClient(new pg.Client(url)))
})

test.each([
  ['postgresql://ada:secret@one:5433,two/app?schema=sales', 'primary', ['one:5433', 'two:5432']],
  [
    'postgresql://ada:s%2Cecret@one,two,three/app?target_session_attrs=any',
    'any',
    ['one:5432', 'two:5432', 'three:5432'],
  ],
  [
    'postgres://ada@[::1],%2Frun%2Fpg:6000/app?target_session_attrs=read-write',
    'read-write',
    ['[::1]:5432', '/run/pg:6000'],
  ],
])('%s names its servers in order', (url, wanted, servers) => {
  const { choice, ...first } = parseConnectionTarget(url)
  expect(choice?.wanted).toBe(wanted)
  expect(describeTarget({ ...first, choice })).toBe(`${servers.join(',')}/app as ada`)
  // Whatever else it says is of all of them.
  const [list = ''] = /@([^/]*)/.exec(url)?.slice(1) ?? []
  const alone = parseConnectionTarget(url.replace(list, list.split(',')[0] ?? ''))
  expect(first).toEqual(alone)
})

test('a Prisma Client that is given several hosts is refused, as its driver connects to none', () => {
  const several = 'postgresql://ada:hunter2@one,two/app'
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: several }) })
  const error = caught(() => resolveConnectionTarget({ connectionString: several, prisma }))
  expect(error).toMatchObject({
    code: 'CONFIG_BAD_DATABASE_URL',
    hint: expect.stringContaining('Prisma Client'),
  })
  const one = new PrismaClient({ adapter: new PrismaPg({ connectionString: 'postgres://ada@pooler/app' }) })
  expect(
    resolveConnectionTarget({ connectionString: several, prisma: one }).target.choice?.servers,
  ).toHaveLength(2)
})

test("Prisma's ?schema= is kept, session options too", () => {
  expect(parseConnectionTarget('postgres://a:b@c/d?schema=sales&options=-c%20work_mem%3D1MB')).toMatchObject({
    schema: 'sales',
    options: '-c work_mem=1MB',
  })
  expect(parseConnectionTarget('postgres://a:b@c/d').schema).toBeNull()
})

test.each([
  ['', 'empty'],
  ['   ', 'empty'],
  ['localhost/app', 'does not start with postgresql://'],
  ['ada:hunter2@localhost/app', 'does not start with postgresql://'],
  ['"postgresql://ada:hunter2@localhost/app"', 'quotation marks'],
  ['mysql://ada:hunter2@localhost/app', 'does not start with postgresql://'],
  ['prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2', "Prisma's proxy"],
  ['postgresql://ada:hunter2#x@localhost/app', 'bare #'],
  ['postgresql://ada:12/hunter2@localhost/app', '@ after the first / or ?'],
  ['postgresql://ada:12?hunter2@localhost/app', '@ after the first / or ?'],
  ['postgresql://ada:12@?hunter2@localhost/app', '@ after the first / or ?'],
  ['postgresql://ada:hunter2@localhost:99999/app', 'cannot read it'],
  ['postgresql://ada:hunter2@one,two/app?target_session_attrs=standby', 'target_session_attrs'],
  ['postgresql://ada:hunter2@one,two/app?target_session_attrs=hunter2', 'target_session_attrs'],
  ['postgresql://ada:hunter2@one,,two/app', 'hosts is empty'],
  ['postgresql://ada:hunter2@one,two:x/app', 'cannot read it'],
  ['postgresql://ada:hunter2@/app?host=one,two', 'several hosts'],
  ['postgresql://ada:hunter2@/app?host=one&host=two', 'several hosts'],
  ['postgresql://ada:hunter2@localhost:0/app', 'port'],
  ['postgresql://ada:hunter2@localhost/app?port=x', 'port'],
  ['postgresql://ada:hunter2@localhost/app?sslrootcert=/no/such.pem', '/no/such.pem'],
])('%j is refused without repeating it', (url, reason) => {
  const error = caught(() => parseConnectionTarget(url))
  expect(error).toMatchObject({ code: 'CONFIG_BAD_DATABASE_URL', message: expect.stringContaining(reason) })
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    expect(JSON.stringify([cause.message, { ...cause }])).not.toContain('hunter2')
  }
})

test('however its special characters are left bare, no part of a password is ever shown', () => {
  const special = fc.string({
    unit: fc.constantFrom(...'#/?@:%&=+ []\\"\'<>;,|^~é'),
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(special, special, (left, right) => {
      const url = `postgresql://ada:Left7${left}Mid8${right}Right9@db:5432/app`
      const outcome = caught(() => describeTarget(parseConnectionTarget(url)))
      const shown = isRowcastError(outcome) ? outcome.message : String(outcome)
      expect(shown).not.toMatch(/Left7|Mid8|Right9/i)
    }),
    { numRuns: 2_000 },
  )
})

const URL_WITH_PASSWORD = 'postgresql://ada:secret@db:6543/app?schema=ignored'
const EXPECTED = { host: 'db', port: 6543, user: 'ada', password: 'secret', database: 'app', ssl: false }

test.each([
  ['a connection string', () => new PrismaPg(URL_WITH_PASSWORD)],
  ['a configuration with one', () => new PrismaPg({ connectionString: URL_WITH_PASSWORD, max: 3 })],
  [
    'a configuration of fields',
    () => new PrismaPg({ host: 'db', port: 6543, user: 'ada', password: 'secret', database: 'app' }),
  ],
  ["the application's own pool", () => new PrismaPg(new pg.Pool({ connectionString: URL_WITH_PASSWORD }))],
  [
    "the application's own pool of fields",
    () =>
      new PrismaPg(new pg.Pool({ host: 'db', port: 6543, user: 'ada', password: 'secret', database: 'app' })),
  ],
])('a Prisma Client whose adapter has %s', async (_name, makeAdapter) => {
  const client = new PrismaClient({ adapter: makeAdapter() })
  expect(connectionTargetFromPrisma(client)).toMatchObject({ ...EXPECTED, schema: null })
  const extended = client.$extends({ model: { $allModels: { hello: () => 'world' } } })
  expect(connectionTargetFromPrisma(extended)).toMatchObject(EXPECTED)
})

test("the adapter's schema, a password that is fetched and a socket of its own come along", () => {
  const password = () => Promise.resolve('token')
  let opened = 0
  const stream = () => {
    opened += 1
    return undefined
  }
  const adapter = new PrismaPg(
    { host: 'db', user: 'ada', database: 'app', password, stream },
    { schema: 'sales' },
  )
  const target = connectionTargetFromPrisma(new PrismaClient({ adapter }))
  expect(target).toMatchObject({ schema: 'sales', password, stream })
  expect(opened).toBe(0)
})

test('anything else is not a Prisma Client with a pg adapter', () => {
  for (const other of [null, undefined, 'prisma', {}, { _engineConfig: {} }, () => {}]) {
    expect(connectionTargetFromPrisma(other)).toBeNull()
  }
  const sqlite = { _engineConfig: { adapter: { adapterName: '@prisma/adapter-better-sqlite3', config: {} } } }
  expect(connectionTargetFromPrisma(sqlite)).toBeNull()
})

test('the address given counts before the Prisma Client, and that before DATABASE_URL', () => {
  const adapter = new PrismaPg('postgres://ada@prisma/app', { schema: 'sales' })
  const prisma = new PrismaClient({ adapter })
  const connectionString = 'postgres://ada@given/app?schema=sales'
  const env = { DATABASE_URL: 'postgres://ada@environment/app' }
  expect(resolveConnectionTarget({ connectionString, prisma }, env)).toMatchObject({
    target: { host: 'given' },
    schema: 'sales',
  })
  expect(resolveConnectionTarget({ prisma }, env).target.host).toBe('prisma')
  expect(resolveConnectionTarget({}, env)).toMatchObject({
    target: { host: 'environment' },
    schema: 'public',
  })
  for (const empty of [{}, { DATABASE_URL: '' }]) {
    expect(caught(() => resolveConnectionTarget({}, empty))).toMatchObject({ code: 'CONFIG_NO_DATABASE' })
  }
})

test('the schema is where the Prisma Client looks; an address that names another is refused with both names', () => {
  const schemaOf = (given: string, ofAdapter: string | undefined, ...ofModels: (string | null)[]) => {
    const options = ofAdapter === undefined ? undefined : { schema: ofAdapter }
    const prisma = new PrismaClient({ adapter: new PrismaPg('postgres://ada@prisma/app', options) })
    const models = Object.fromEntries(ofModels.map((schema, index) => [`M${index}`, { schema }]))
    const connectionString = `postgres://ada@given/app${given}`
    return resolveConnectionTarget({ connectionString, prisma, catalog: { models } }).schema
  }
  expect(schemaOf('', undefined, null)).toBe('public')
  expect(schemaOf('', 'sales', null)).toBe('sales')
  expect(schemaOf('?schema=public', undefined, null)).toBe('public')
  expect(schemaOf('?schema=sales', 'sales', null)).toBe('sales')
  for (const [given, ofAdapter, other] of [
    ['sales', undefined, 'public'],
    ['public', 'sales', 'sales'],
    ['Sales', 'sales', 'sales'],
  ] as const) {
    const error = caught(() => schemaOf(`?schema=${given}`, ofAdapter, 'crm', null))
    expect(error).toMatchObject({
      code: 'CONFIG_SCHEMA_MISMATCH',
      message: expect.stringContaining(`"${given}"`),
    })
    expect(String(error)).toContain(`"${other}"`)
  }
  // With @@schema on every model nobody asks for the default.
  expect(() => schemaOf('?schema=sales', undefined, 'crm', 'shop')).not.toThrow()
  // A client that cannot be asked, of an engine that does read the address.
  const prisma = { _engineConfig: {} }
  expect(resolveConnectionTarget({ connectionString: 'postgres://a@b/c?schema=sales', prisma }).schema).toBe(
    'sales',
  )
})

test('a target is described without its password', () => {
  expect(describeTarget(parseConnectionTarget('postgres://ada:secret@[::1]:5433/app'))).toBe(
    '[::1]:5433/app as ada',
  )
  expect(describeTarget({})).toBe('localhost:5432/(default) as (default)')
})
