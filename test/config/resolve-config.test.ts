/** Config file, environment and command line: defaults, precedence, and every fault named at once. */
import { buildSchema } from 'graphql'
import { describe, expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { type ConfigFlags, type Environment, resolveConfig } from '../../src/config/resolve-config.ts'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import { printServiceSchema } from '../../src/graphql/print-schema.ts'
import { modelNames } from '../../src/graphql/schema-names.ts'

const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
const file = { catalog, createPrisma }
const env: Environment = { DATABASE_URL: 'postgresql://user:secret@localhost:5432/app' }

function faultOf(input: unknown, environment: Environment = env, flags?: ConfigFlags): RowcastError {
  try {
    resolveConfig(input, environment, flags)
  } catch (error) {
    if (isRowcastError(error)) return error
    throw error
  }
  throw new Error('The config was accepted.')
}

test('defaults: every model that is not omitted, 127.0.0.1:4000, GraphiQL, publication rowcast and a slot for the database', () => {
  const config = resolveConfig(file, env)
  expect(config).toMatchObject({
    databaseUrl: env['DATABASE_URL'],
    host: '127.0.0.1',
    port: 4000,
    graphiql: true,
    slot: 'rowcast_app',
    publication: 'rowcast',
    dev: {},
  })
  const shown = Object.values(catalog.models).filter((model) => !model.isOmitted)
  expect(Object.keys(config.models)).toEqual(shown.map((model) => model.name))
})

test('a join table is followed, and is nothing of GraphQL', () => {
  const models = { '*': {}, _PostToTag: { live: false, followed: true } }
  const config = resolveConfig({ ...file, models }, env)
  expect(config.models['_PostToTag']).toEqual({ live: false, followed: true })
  expect(printServiceSchema(config)).toBe(printServiceSchema(resolveConfig(file, env)))
})

test('GraphiQL is off in production unless the file says otherwise', () => {
  const production = { ...env, NODE_ENV: 'production' }
  const open = { ...file, public: true }
  expect(resolveConfig(open, production).graphiql).toBe(false)
  expect(resolveConfig({ ...open, graphiql: true }, production).graphiql).toBe(true)
})

test('the live page is off in production, and on there only for those whom a function lets see it', () => {
  const production = { ...env, NODE_ENV: 'production' }
  const open = { ...file, public: true }
  expect(resolveConfig(file, env).livePage).toEqual({ authorize: null })
  expect(resolveConfig({ ...file, livePage: false }, env).livePage).toBeNull()
  expect(resolveConfig(open, production).livePage).toBeNull()
  const fault = faultOf({ ...open, livePage: true }, production)
  expect([fault.code, fault.message, fault.hint].join()).toMatch(
    /CONFIG_BAD_FIELD.*`livePage` is on in production.*authorize/,
  )
  const livePage = { isAdmin: true, authorize: (): boolean => livePage.isAdmin }
  expect(resolveConfig({ ...open, livePage }, production).livePage?.authorize?.({})).toBe(true)
})

describe('in production', () => {
  const production = { ...env, NODE_ENV: 'production' }
  const visible = Object.values(catalog.models).filter((model) => !model.isOmitted)
  const all = (config: object) => Object.fromEntries(visible.map(({ name }) => [name, config]))

  test('a model that nothing is said about is a fault, and each is named', () => {
    for (const models of ['all', undefined, all({}), all({ public: false, omit: [] })]) {
      const fault = faultOf({ ...file, models }, production)
      expect(fault.code).toBe('CONFIG_NO_POLICY')
      for (const { name } of visible) expect(fault.message).toContain(name)
      expect(fault.hint).toContain('public: true')
    }
    // Nobody is asked whether they may subscribe to what is only queried.
    const unasked = { ...all({ live: false, canSubscribe: () => false }), Post: { public: true } }
    expect(faultOf({ ...file, models: unasked }, production).code).toBe('CONFIG_NO_POLICY')
    const { message } = faultOf({ ...file, models: { ...all({ public: true }), Post: {} } }, production)
    expect(message).toMatch(/who may see Post\./)
  })

  test('a policy, or the word that there is none, will do', () => {
    const policies = [
      { public: true },
      { rows: () => 'all' },
      { canSubscribe: () => true },
      { fields: () => 'all' },
    ]
    for (const policy of policies) {
      expect(Object.keys(resolveConfig({ ...file, models: all(policy) }, production).models)).toEqual(
        visible.map(({ name }) => name),
      )
    }
    resolveConfig({ ...file, public: true }, production)
  })

  test('elsewhere nothing need be said', () => {
    resolveConfig(file, env)
  })
})

test.each([
  [{ live: 'no' }, 'models.User.live'],
  [{ public: 1 }, 'models.User.public'],
  [{ rows: { id: 1 } }, 'models.User.rows'],
  [{ canSubscribe: true }, 'models.User.canSubscribe'],
  [{ fields: ['id'] }, 'models.User.fields'],
  [{ omit: 'email' }, 'models.User.omit'],
  [{ expose: ['passwrodHash'] }, 'Did you mean "passwordHash"'],
  [{ replicaIdentity: 'index' }, 'models.User.replicaIdentity'],
  [{ rowz: () => 'all' }, 'Did you mean "rows"'],
])('a model configured with %o is refused', (model, reported) => {
  const fault = faultOf({ ...file, models: { User: model } })
  expect(fault.code).toBe('CONFIG_BAD_FIELD')
  expect(fault.message).toContain(reported)
})

test('the command line counts before the environment, and that before the file', () => {
  const full = { ...file, port: 1, host: 'file', slot: 'of_file', publication: 'of_file' }
  expect(resolveConfig(full, env)).toMatchObject({ port: 1, host: 'file', slot: 'of_file' })
  const environment = {
    ...env,
    PORT: '2',
    HOST: 'env',
    ROWCAST_SLOT: 'of_env',
    ROWCAST_PUBLICATION: 'Of Env',
  }
  expect(resolveConfig(full, environment)).toMatchObject({
    port: 2,
    host: 'env',
    slot: 'of_env',
    publication: 'Of Env',
  })
  const flags = { port: '0', host: 'flag', databaseUrl: 'postgresql://other@localhost/flag' }
  expect(resolveConfig(full, environment, flags)).toMatchObject(
    flags.port === '0' ? { ...flags, port: 0 } : {},
  )
})

test('createPrisma is called with the address and as a method of the file', () => {
  const url = 'postgresql://user@localhost/app'
  const asked: unknown[] = []
  const object = {
    catalog,
    createPrisma(this: unknown, databaseUrl: string) {
      asked.push(this, databaseUrl)
      return createPrisma()
    },
  }
  resolveConfig(object, env).createPrisma(url)
  expect(asked).toEqual([object, url])
})

test('models that are named are the live ones', () => {
  const models = { User: { omit: ['email', 'posts'] }, Post: {} }
  expect(resolveConfig({ ...file, models }, env).models).toEqual(models)
})

describe('faults', () => {
  test.each([
    ['CONFIG_BAD_FIELD', undefined, 'export default defineConfig'],
    ['CONFIG_BAD_FIELD', { ...file, ports: 1 }, 'Did you mean "port"?'],
    ['CONFIG_BAD_FIELD', { createPrisma }, 'generator rowcast'],
    ['CONFIG_BAD_FIELD', { catalog }, 'createPrisma'],
    ['CONFIG_BAD_FIELD', { ...file, models: 'some' }, 'models'],
    ['CONFIG_BAD_FIELD', { ...file, slowSubscribers: { policy: 'drop' } }, "policy?: 'end' | 'conflate'"],
    ['CONFIG_BAD_FIELD', { ...file, models: { User: { omit: 'email' } } }, 'omit'],
    ['CONFIG_BAD_FIELD', { ...file, models: { User: { omit: ['emai'] } } }, 'Did you mean "email"?'],
    ['CONFIG_BAD_FIELD', { ...file, host: 7 }, 'host'],
    ['CONFIG_BAD_FIELD', { ...file, graphiql: 'yes' }, 'graphiql'],
    ['CONFIG_BAD_FIELD', { ...file, livePage: 'yes' }, 'livePage'],
    ['CONFIG_BAD_FIELD', { ...file, livePage: { authorise: () => true } }, 'livePage'],
    ['CONFIG_BAD_FIELD', { ...file, retain: { minutes: -1 } }, 'retain'],
    ['CONFIG_BAD_FIELD', { ...file, onSlotLost: 'ignore' }, 'onSlotLost'],
    ['CONFIG_BAD_FIELD', { ...file, dev: true }, 'dev'],
    ['CONFIG_BAD_FIELD', { ...file, dev: { seed: 'seed.ts' } }, 'dev.seed'],
    ['CONFIG_BAD_PORT', { ...file, port: 65_536 }, '65536'],
    ['CONFIG_BAD_NAME', { ...file, slot: 'Not-A-Slot' }, 'Not-A-Slot'],
    ['CONFIG_CATALOG_VERSION', { ...file, catalog: { ...catalog, formatVersion: 2 } }, 'prisma generate'],
    ['CATALOG_UNKNOWN_MODEL', { ...file, models: { Usr: {} } }, 'Did you mean "User"?'],
    ['CONFIG_BAD_FIELD', { ...file, models: ['User'] }, 'an object of models, { User: {}'],
    ['CONFIG_BAD_FIELD', { ...file, models: 'User' }, 'an object of models, { User: {}'],
    ['CONFIG_BAD_FIELD', { catalog }, 'createPrisma: (connectionString) => new PrismaClient'],
    ['CATALOG_BAD_SOFT_DELETE', { ...file, models: { User: { softDelete: 'delt' } } }, 'no field "delt"'],
    ['CONFIG_BAD_FIELD', { ...file, models: { User: {}, _PostToTag: { live: false } } }, '_PostToTag'],
    ['CONFIG_BAD_FIELD', { ...file, models: { User: {}, _PostToTag: { followed: true } } }, '_PostToTag'],
  ])('%s: %#', (code, input, words) => {
    const fault = faultOf(input === undefined ? null : input)
    const codes = fault.code === 'CONFIG_INVALID' ? String(fault.details['codes']).split(' ') : [fault.code]
    expect(codes).toContain(code)
    expect(fault.message).toContain(words)
  })

  test.each([
    ['CONFIG_NO_DATABASE', {}],
    ['CONFIG_NO_DATABASE', { DATABASE_URL: '' }],
    ['CONFIG_BAD_DATABASE_URL', { DATABASE_URL: 'mysql://user:secret@localhost/app' }],
    ['CONFIG_BAD_PORT', { ...env, PORT: '80a' }],
    ['CONFIG_BAD_PORT', { ...env, PORT: '-1' }],
    ['CONFIG_BAD_NAME', { ...env, ROWCAST_SLOT: 'a'.repeat(64) }],
  ])('of the environment, %s: %#', (code, environment) => {
    expect(faultOf(file, environment).code).toBe(code)
  })

  test('several are one error that lists each with its code and hint, without secrets', () => {
    const fault = faultOf({ createPrisma, slot: 'A B' }, { DATABASE_URL: 'localhost:secret', PORT: 'x' })
    expect(fault.code).toBe('CONFIG_INVALID')
    expect(fault.details['codes']).toBe(
      'CONFIG_BAD_FIELD CONFIG_BAD_DATABASE_URL CONFIG_BAD_NAME CONFIG_BAD_PORT',
    )
    expect(fault.message).toMatch(
      /4 settings[\s\S]*\[CONFIG_BAD_FIELD\][\s\S]*Hint: [\s\S]*\[CONFIG_BAD_PORT\]/,
    )
    expect(fault.message).not.toContain('secret')
  })
})

describe('names', () => {
  test('are put into the catalog', () => {
    const names = { User: 'Person', 'User.fullName': 'name' }
    const { User } = resolveConfig({ ...file, names }, env).catalog.models as Record<string, ModelSpec>
    expect(User?.graphqlName).toBe('Person')
    expect(User?.graphqlPlural).toBeUndefined()
    expect(User?.fields.find(({ name }) => name === 'fullName')?.graphqlName).toBe('name')
  })

  test('of the query of rows are chosen apart from the name', () => {
    const namesOf = (names: object) => {
      const { many, one, changed, type } = modelNames(resolveConfig({ ...file, names }, env).catalog, 'User')
      return { many, one, changed, type }
    }
    expect(namesOf({ 'User[]': 'people' })).toEqual({
      ...{ many: 'people', one: 'user', changed: 'userChanged', type: 'User' },
    })
    expect(namesOf({ User: 'Person', 'User[]': 'people' })).toEqual({
      ...{ many: 'people', one: 'person', changed: 'personChanged', type: 'Person' },
    })
    expect(faultOf({ ...file, names: { 'User[]': 'changeCursor' } }).message).toMatch(
      /GRAPHQL_BAD_NAME.*User\[\] .*"changeCursor"/,
    )
    expect(faultOf({ ...file, names: { 'Usr[]': 'people' } }).code).toBe('CONFIG_BAD_FIELD')
  })

  test('of what is not there, that GraphQL does not take, or that are taken, are faults', () => {
    expect(faultOf({ ...file, names: { Usr: 'Person' } }).message).toMatch(/CONFIG_BAD_FIELD.*"Usr"/)
    expect(faultOf({ ...file, names: { User: 'a b' } }).message).toMatch(/GRAPHQL_BAD_NAME.*User "a b"/)
    for (const name of [5, {}, null])
      expect(faultOf({ ...file, names: { User: name } }).code).toBe('GRAPHQL_BAD_NAME')
    expect(faultOf({ ...file, names: { User: 'Query' } }).message).toMatch(/GRAPHQL_BAD_NAME.*User .*"Query"/)
    expect(faultOf({ ...file, names: true }).code).toBe('CONFIG_BAD_FIELD')
  })
})

test('a model without a field that may be seen is left out, and needs no policy', () => {
  const omit = catalog.models.Tag.fields.map(({ name }) => name)
  const config = resolveConfig({ ...file, models: { User: { public: true }, Tag: { omit } } }, env)
  expect(config.leftOut).toEqual(['Tag'])
  expect(config.models).toEqual({ User: { public: true } })
  expect(buildSchema(printServiceSchema(config)).getType('Tag')).toBeUndefined()
  const open = { ...file, models: { User: { public: true }, Tag: { omit } } }
  expect(faultOf(open, { ...env, NODE_ENV: 'production' }).message).not.toMatch(/\bTag\b/)
})

describe("models: { '*': … }", () => {
  const shown = Object.values(catalog.models).filter((model) => !model.isOmitted)

  test('is all the others, and those named are as it is said of them', () => {
    const models = {
      '*': { replicaIdentity: 'keep' },
      User: { live: false },
      Post: { softDelete: 'deletedAt' },
    }
    const config = resolveConfig({ ...file, models }, env)
    expect(Object.keys(config.models).sort()).toEqual(shown.map(({ name }) => name).sort())
    expect(config.models).toMatchObject({
      ...{ User: { live: false }, Post: { softDelete: 'deletedAt' } },
      Tag: { replicaIdentity: 'keep', optional: true },
    })
    expect(config.models['Post']).not.toHaveProperty('optional')
    expect(resolveConfig(file, env).models['Tag']).toEqual({ optional: true })
  })

  test('says of models only what needs no field', () => {
    expect(faultOf({ ...file, models: { '*': { omit: ['id'] } } }).message).toMatch(/'\*'.*"omit"/)
    expect(faultOf({ ...file, models: { '*': true } }).code).toBe('CONFIG_BAD_FIELD')
  })

  test('a config that makes none live does not start', () => {
    expect(faultOf({ ...file, models: {} }).code).toBe('SOURCE_NO_MODELS')
    expect(faultOf({ ...file, models: { '*': { live: false } } }).code).toBe('SOURCE_NO_MODELS')
  })
})

describe('options that are objects', () => {
  test('have each of their faults reported with its path, and names that they do not have', () => {
    const fault = faultOf({
      ...{ ...file, retain: { bytes: -1, minutes: '5' }, slotBudget: { byte: 1, bytes: 0 } },
      ...{ broker: { url: 'redis://a', replicas: 0.5, prefx: 'p', retain: { hours: 1 } }, failover: 'yes' },
      ...{ slowSubscribers: { queueLengthMax: 0.5, polcy: 'end' }, dev: { trafic: 1 }, binary: 1 },
    })
    for (const words of [
      '`retain.bytes` is not a number from 0 on.',
      '`retain.minutes` is not a number from 0 on.',
      '`slotBudget` has an unknown field "byte". Hint: Did you mean "bytes"?',
      '`slotBudget.bytes` is not a number above 0.',
      '`broker.replicas` is not a number of replicas.',
      '`broker` has an unknown field "prefx". Hint: Did you mean "prefix"?',
      '`broker.retain` has an unknown field "hours". Hint: Known are bytes, minutes.',
      '`failover` is neither true nor false.',
      '`slowSubscribers.queueLengthMax` is not a whole number above 0.',
      '`slowSubscribers` has an unknown field "polcy". Hint: Did you mean "policy"?',
      '`dev` has an unknown field "trafic". Hint: Did you mean "traffic"?',
      '`binary` is neither true nor false.',
    ])
      expect(fault.message).toContain(words)
    expect(fault.happened).toMatch(/^12 settings/)
  })

  test.each([
    ...['catalog', 'createPrisma', 'models', 'names', 'retain', 'slotBudget', 'broker', 'limits'],
    ...['livePage', 'metrics', 'debug', 'slowSubscribers', 'dev', 'context', 'allowedOrigins'],
  ])('%s that is null, a number or a function is a fault, and nothing throws', (name) => {
    for (const value of [null, 7, name === 'context' || name === 'createPrisma' ? 'x' : () => 7])
      expect(faultOf({ ...file, [name]: value }).code).toMatch(/^CONFIG_/)
  })

  test('a count is a number: a text is one where a variable can say it, and nowhere else', () => {
    const config = resolveConfig({ ...file, port: '4001', trustedProxyCount: '2' }, env)
    expect([config.port, config.security.trustedProxyCount]).toEqual([4001, 2])
    expect(faultOf({ ...file, limits: { payloadBytesMax: '1000' } }).message).toContain(
      '`limits.payloadBytesMax` is not a whole number from 1 to 2147483647.',
    )
  })

  test('are given on as they are', () => {
    const dev = { seed: async () => {}, traffic: async () => {} }
    const config = resolveConfig({ ...file, dev, binary: false, retain: { minutes: 1 } }, env)
    expect(config.dev).toBe(dev)
    expect(config.durability).toEqual({ binary: false, retain: { minutes: 1 } })
  })
})

test('an empty variable says nothing: the file counts', () => {
  const empty = {
    ...env,
    ROWCAST_SLOT: '',
    ROWCAST_PUBLICATION: '',
    HOST: '',
    PORT: '',
    TRUSTED_PROXY_COUNT: '',
  }
  const said = { slot: 'of_file', publication: 'mine', host: 'file', port: 1 }
  const config = resolveConfig({ ...file, ...said, trustedProxyCount: 2 }, empty)
  expect(config).toMatchObject(said)
  expect(config.security.trustedProxyCount).toBe(2)
  expect(resolveConfig(file, { ...env, TRUSTED_PROXY_COUNT: '3' }).security.trustedProxyCount).toBe(3)
})
