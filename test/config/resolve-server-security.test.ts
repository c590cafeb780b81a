/** Who may use the server, as the config file says it: defaults, and every fault named. */
import { expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { type Environment, resolveConfig } from '../../src/config/resolve-config.ts'
import { isRowcastError } from '../../src/errors.ts'

const file = { catalog, createPrisma: () => ({ async $connect() {}, async $disconnect() {} }), public: true }
const env: Environment = { DATABASE_URL: 'postgresql://user:secret@localhost:5432/app' }
const production = { ...env, NODE_ENV: 'production' }

const securityOf = (input: object, environment = env) =>
  resolveConfig({ ...file, ...input }, environment).security

test('nothing is open by default, and the schema is readable in development only', () => {
  expect(securityOf({})).toEqual({
    context: undefined,
    limits: {},
    allowedOrigins: [],
    allowCredentials: false,
    introspection: true,
    trustedProxyCount: 0,
  })
  expect(securityOf({}, production).introspection).toBe(false)
  expect(securityOf({ graphiql: false }).introspection).toBe(true)
})

test('GraphiQL that is asked for in production can read the schema, unless that is said', () => {
  expect(securityOf({ graphiql: true }, production).introspection).toBe(true)
  expect(securityOf({ graphiql: true, introspection: false }, production).introspection).toBe(false)
  expect(securityOf({ introspection: true }, production).introspection).toBe(true)
})

test('what is said is kept', () => {
  const security = securityOf({
    context: () => null,
    limits: { queryDepthMax: 4, idleTimeoutMs: undefined },
    allowedOrigins: ['https://app.example.com', 'http://localhost:3000'],
    allowCredentials: true,
    trustedProxyCount: 2,
  })
  expect(security).toMatchObject({
    context: expect.any(Function),
    limits: { queryDepthMax: 4 },
    allowedOrigins: ['https://app.example.com', 'http://localhost:3000'],
    allowCredentials: true,
    trustedProxyCount: 2,
  })
})

const CIRCLE: { self?: object } = {}
CIRCLE.self = CIRCLE

test.each([
  [{ context: { viewer: 'ada' } }, '`context` is not a function.'],
  [{ limits: 8 }, '`limits` is not an object.'],
  [{ limits: { queryDepth: 8 } }, 'Did you mean "queryDepthMax"?'],
  [{ limits: { queryDepthMax: 0 } }, '`limits.queryDepthMax` is not a whole number from 1'],
  [{ limits: { pingIntervalMs: Number.POSITIVE_INFINITY } }, '`limits.pingIntervalMs`'],
  [{ limits: { idleTimeoutMs: 2 ** 31 } }, '`limits.idleTimeoutMs`'],
  [{ allowedOrigins: ['https://app.example.com/'] }, 'scheme, host and port only'],
  [{ allowedOrigins: ['app.example.com'] }, '"app.example.com", which is no origin'],
  [{ allowedOrigins: [7] }, '7, which is no origin'],
  [{ allowedOrigins: [1n] }, '1, which is no origin'],
  [
    { allowedHosts: [CIRCLE, Symbol('x')] },
    'an object, which is no name of a host. `allowedHosts` has a symbol,',
  ],
  [
    { allowedOrigins: ['a', '*', 'b'] },
    '"a", which is no origin. `allowedOrigins` has "b", which is no origin.',
  ],
  [{ allowedOrigins: ['*'], allowCredentials: true }, 'Name the origins'],
  [{ allowCredentials: 'yes' }, '`allowCredentials` is neither true nor false.'],
  [{ introspection: 1 }, '`introspection` is neither true nor false.'],
  [{ trustedProxyCount: -1 }, '`trustedProxyCount` is not a whole number from 0'],
])('%o is refused', (input, words) => {
  try {
    securityOf(input)
  } catch (error) {
    expect(isRowcastError(error, 'CONFIG_BAD_FIELD')).toBe(true)
    expect(String(error)).toContain(words)
    return
  }
  throw new Error('The config was accepted.')
})

test('documents that are not in the manifest are refused in production, unless that is said', () => {
  const persistedDocuments = { manifest: { a: '{ hello }' } }
  expect(securityOf({ persistedDocuments }).persistedDocuments?.onlyPersisted).toBe(false)
  expect(securityOf({ persistedDocuments }, production).persistedDocuments?.onlyPersisted).toBe(true)
  const open = { persistedDocuments: { ...persistedDocuments, onlyPersisted: false } }
  expect(securityOf(open, production).persistedDocuments?.onlyPersisted).toBe(false)
})

test.each([
  ['an empty path', ''],
  ['an address elsewhere', new URL('https://example.com/manifest.json')],
  ['a list', []],
  ['null', null],
  ['a text that is none', { a: 7 }],
  ['an empty text', { a: '' }],
  ['an empty name', { '': '{ hello }' }],
  ['a manifest of another version', { format: 'x', version: 2, operations: [] }],
  ['operations that are none', { version: 1, operations: [{ id: 'a' }, null] }],
  [
    'one name for two texts',
    {
      version: 1,
      operations: [
        { id: 'a', body: '{ a }' },
        { id: 'a', body: '{ b }' },
      ],
    },
  ],
])('a manifest that is %s is a fault', (_what, manifest) => {
  expect(() => securityOf({ persistedDocuments: { manifest } })).toThrow(/persistedDocuments\.manifest/)
})

test('GraphiQL that could run nothing is a fault', () => {
  const input = { graphiql: true, persistedDocuments: { manifest: {} } }
  expect(() => securityOf(input, production)).toThrow(/graphiql/)
  expect(securityOf(input).persistedDocuments).toEqual({ manifest: {}, onlyPersisted: false })
})
