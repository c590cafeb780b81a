/** `sources` of the config: what each database takes from it, and every fault named at once, with the database that has it. */
import { expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
const main = { catalog, createPrisma }
const billingCatalog = (...names: readonly string[]): ModelCatalog => ({
  ...{ formatVersion: 1, enums: {}, joinTables: [] },
  models: Object.fromEntries(
    names.map((name) => [name, buildModel([buildField('id', 'Int')], { name, table: name })]),
  ),
})
const billing = { catalog: billingCatalog('Invoice'), createPrisma }
const env = {
  MAIN_DATABASE_URL: 'postgresql://user@localhost:5432/app',
  BILLING_DATABASE_URL: 'postgresql://user@localhost:5432/billing',
}

function faultOf(file: unknown, environment: Readonly<Record<string, string>> = env): RowcastError {
  try {
    resolveConfig(file, environment)
  } catch (error) {
    if (isRowcastError(error)) return error
    throw error
  }
  throw new Error('The config was accepted.')
}

test('each source has an address, a slot and models of its own; the rest is of all', () => {
  const own = { ...billing, databaseUrl: 'postgresql://user@else:5432/bills', models: { Invoice: {} } }
  const file = { port: 4100, sources: { main, eastBilling: own } }
  const { sources, port } = resolveConfig(file, {
    MAIN_DATABASE_URL: env.MAIN_DATABASE_URL,
    ROWCAST_SLOT: 'for_one',
    DATABASE_URL: 'postgresql://user@localhost:5432/unused',
  })
  expect(port).toBe(4100)
  expect(sources).toMatchObject({
    main: { databaseUrl: env.MAIN_DATABASE_URL, slot: 'rowcast_app', port: 4100 },
    eastBilling: { databaseUrl: own.databaseUrl, slot: 'rowcast_bills', models: { Invoice: {} } },
  })
  // The variable counts before the file.
  const more = { ...env, EAST_BILLING_DATABASE_URL: 'postgresql://user@else:5432/other' }
  expect(resolveConfig(file, more).sources?.['eastBilling']?.slot).toBe('rowcast_other')
})

test.each([
  ['no source', { sources: {} }, /CONFIG_BAD_FIELD.*`sources` names no database/],
  ['a list', { sources: [main] }, /CONFIG_BAD_FIELD.*`sources` names no database/],
  ['a source that is none', { sources: { main: 'app' } }, /CONFIG_BAD_FIELD.*`sources.main` is no object/],
  ['a name for no enum', { sources: { 'my-main': main } }, /CONFIG_BAD_NAME.*cannot be called "my-main"/],
  ['an option beside', { catalog, sources: { main } }, /CONFIG_BAD_FIELD.*`catalog` stands beside `sources`/],
  [
    'an option of all',
    { sources: { main: { ...main, port: 1 } } },
    /`sources.main.port` is no option of one/,
  ],
  [
    'no address',
    { sources: { other: main } },
    /CONFIG_NO_DATABASE.*Source other: OTHER_DATABASE_URL is not set/,
  ],
  ['a fault of one', { sources: { main, billing: { ...billing, slot: 'A B' } } }, /Source billing: .*slot/],
  [
    'one name twice',
    { sources: { main, billing: { ...billing, catalog: billingCatalog('User') } } },
    /GRAPHQL_BAD_NAME.*main and billing both call .*"User".*names: \{ User:/,
  ],
  [
    'one slot twice',
    { sources: { main: { ...main, slot: 's' }, billing: { ...billing, slot: 's' } } },
    /CONFIG_BAD_NAME.*main and billing have the slot "s"/,
  ],
])('%s is refused in one sentence', (_, file, words) => {
  const { code, message, hint } = faultOf(file)
  expect([code, message, hint].join(' ')).toMatch(words)
})

test('what shares a database, or a broker, has names of its own there', () => {
  const same = { ...env, BILLING_DATABASE_URL: env.MAIN_DATABASE_URL }
  const file = { sources: { main, billing: { ...billing, slot: 'bills' } } }
  expect(faultOf(file, same).message).toMatch(/main and billing have the publication "rowcast"/)
  // Of several servers any may be the one.
  const several = {
    MAIN_DATABASE_URL: 'postgresql://user@one:5432,two:5432/app',
    BILLING_DATABASE_URL: 'postgresql://user@two,three/billing',
  }
  const slots = { sources: { main: { ...main, slot: 's' }, billing: { ...billing, slot: 's' } } }
  expect(faultOf(slots, several).message).toMatch(/main and billing have the slot "s"/)
  expect(resolveConfig(file, several).sources).toHaveProperty('billing')
  const redis = 'redis://localhost:6379'
  const broken = {
    main: { ...main, broker: redis },
    billing: { ...billing, broker: { url: redis, prefix: 'b' } },
  }
  expect(faultOf({ role: 'gateway', sources: broken }).message).toMatch(
    /Source main has a broker, and no `prefix`/,
  )
  const mixed = { main: { ...main, broker: { url: redis, prefix: 'b' } }, billing: broken.billing }
  expect(faultOf({ role: 'gateway', sources: mixed }).message).toMatch(/have the prefix "b" in the broker/)
})

test('several faults are listed, those of all once', () => {
  const { code, message } = faultOf({
    port: -1,
    sources: { main, billing: { ...billing, retain: { bytes: 'x' } } },
  })
  expect(code).toBe('CONFIG_INVALID')
  expect(message.match(/The port is/g)).toHaveLength(1)
  expect(message).toContain('Source billing: ')
})

test('a name that two have stays where one of them is renamed', () => {
  const names = { User: 'Payer' }
  const file = {
    sources: { main, billing: { ...billing, catalog: billingCatalog('User', 'Invoice'), names } },
  }
  expect(resolveConfig(file, env).sources).toHaveProperty('billing.catalog.models.User.graphqlName', 'Payer')
})

test('sessions are rows of the one source that has their model', () => {
  const sessions = { model: 'Session', of: () => null }
  const resolved = resolveConfig({ sessions, sources: { main, billing } }, env).sources
  expect(resolved?.['main']?.models['Session']).toMatchObject({ followed: true, optional: false })
  expect(resolved?.['billing']?.models).not.toHaveProperty('Session')
  expect([resolved?.['main']?.sessions?.model, resolved?.['billing']?.sessions]).toEqual(['Session', null])
  const other = { ...billing, catalog: billingCatalog('Session'), names: { Session: 'Other' } }
  const fault = (file: object) => String(faultOf({ sessions, ...file }))
  expect(fault({ sources: { main, billing: other } })).toMatch(
    /`sessions` names "Session", which main and billing/,
  )
  const none = { sessions: { ...sessions, model: 'Nothing' } }
  expect(fault({ ...none, sources: { main, billing } })).toMatch(
    /`sessions` names "Nothing", which no Prisma/,
  )
  const alone = () => resolveConfig({ ...none, ...main }, { DATABASE_URL: env.MAIN_DATABASE_URL })
  expect(alone).toThrow(/`sessions` names "Nothing"/)
})

test('a model of sessions with nothing to show is published all the same', () => {
  const hidden = { Session: { omit: ['id'] } }
  const billed = {
    ...billing,
    catalog: billingCatalog('Invoice', 'Session'),
    models: { Invoice: {}, ...hidden },
  }
  const file = { sessions: { model: 'Session', of: () => null }, ...billed }
  const { models, leftOut } = resolveConfig(file, { DATABASE_URL: env.BILLING_DATABASE_URL })
  expect(leftOut).toEqual(['Session'])
  expect(models['Session']).toMatchObject({ live: false, followed: true })
})
