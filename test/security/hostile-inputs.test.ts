/** Arguments that no honest client sends, on every transport: the server answers, knows why, and goes on. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { startServer } from '../server/server-fixture.ts'
import { STREAM_TRANSPORTS } from './transports.ts'

const TYPES: Readonly<Record<string, string>> = {
  ...{ where: 'UserWhere', old: 'UserWhere', new: 'UserWhere', changed: '[UserField!]' },
  ...{ action: '[ChangeAction!]', after: 'Cursor' },
}

/** Without arguments whose variable has no value: those are refused whatever else there is. */
function queryOf(variables: object): string {
  const names = Object.keys(variables)
  if (names.length === 0) return 'subscription { userChanged { action } }'
  const declared = names.map((name) => `$${name}: ${TYPES[name]}`).join(', ')
  return `subscription (${declared}) { userChanged(${names.map((name) => `${name}: $${name}`).join(', ')}) { action } }`
}

const NAMES = [
  ...[
    'id',
    'email',
    'role',
    'tags',
    'balance',
    'settings',
    'avatar',
    'isActive',
    'createdAt',
    'AND',
    'OR',
    'NOT',
  ],
  ...['equals', 'not', 'in', 'lt', 'contains', 'mode', 'has', 'isEmpty', 'path', 'string_contains'],
  ...['passwordHash', '__proto__', 'constructor', 'toString', '', '\u0000'],
]
const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(
    null,
    '%',
    '\\',
    "'; DROP TABLE users; --",
    'insensitive',
    'ADMIN',
    '1e400',
    '9'.repeat(400),
  ),
)
/** Of the shape of filters, more or less. */
const filter = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 6 }, leaf, tie('object'), fc.array(tie('value'), { maxLength: 4 })),
  object: fc
    .array(fc.tuple(fc.constantFrom(...NAMES), tie('value')), { maxLength: 3 })
    // Not an object literal's `__proto__`: a member of that name, as JSON brings it.
    .map((members) => Object.fromEntries(members)),
})).value
/** What GraphQL lets through, so that it is for us to judge. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('%', '\\', '1e400', 'Infinity', '-0'),
)
const operands: Readonly<Record<string, fc.Arbitrary<object>>> = {
  email: fc.record({ contains: text, equals: text, mode: fc.constant('insensitive') }, { requiredKeys: [] }),
  fullName: fc.record({ in: fc.array(text), not: fc.record({ startsWith: text }) }, { requiredKeys: [] }),
  id: fc.record({ equals: text }),
  balance: fc.record({ gt: fc.oneof(text, fc.double({ noNaN: true }).map(String)) }),
  tags: fc.oneof(fc.record({ has: text }), fc.record({ hasEvery: fc.array(text) })),
  settings: fc.record({ path: fc.array(text), equals: fc.jsonValue() }, { requiredKeys: ['path'] }),
  isActive: fc.record({ equals: fc.boolean() }),
}
const plausible = fc.letrec<{ where: object; group: object }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 5 },
    ...Object.entries(operands).map(([field, operand]) => operand.map((value) => ({ [field]: value }))),
    tie('group'),
  ),
  group: fc
    .tuple(fc.constantFrom('AND', 'OR', 'NOT'), fc.array(tie('where'), { maxLength: 3 }))
    .map(([name, members]) => ({ [name]: members })),
})).where
const cursor = fc.oneof(
  leaf,
  fc.string({ unit: fc.constantFrom('0', '1', 'f', '/', '-', '.', ':', '~'), maxLength: 40 }),
  fc.base64String(),
)
const wild = fc.record(
  {
    where: filter,
    old: filter,
    new: filter,
    changed: fc.oneof(leaf, fc.array(fc.oneof(leaf, fc.constantFrom('email', 'tags')), { maxLength: 3 })),
    action: fc.oneof(leaf, fc.array(fc.constantFrom('UPDATE', 'INSERT', 'MERGE'), { maxLength: 3 })),
    after: cursor,
  },
  { requiredKeys: [] },
)
const sly = fc.record({ where: plausible, old: plausible, new: plausible }, { requiredKeys: [] })
const hostile = fc.oneof<fc.Arbitrary<object>[]>(wild, sly)

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    it('filters and cursors from a fuzzer are taken or refused with a reason, and nobody else notices', async () => {
      const feed = createFakeFeed(catalog, ['User'])
      const models = { User: { rows: () => ({ role: 'MEMBER' }) as never } }
      const schema = buildServiceSchema({ catalog, prisma: createRecordingPrisma(), feed, models })
      const { url, logged } = await startServer({ schema })
      const honest = await transport.open(url, 'subscription { userChanged { new { email } } }')
      await vi.waitUntil(() => feed.requests.length === 1, { timeout: 30_000 })
      let taken = 0
      let refused = 0
      await fc.assert(
        fc.asyncProperty(hostile, async (variables: object) => {
          const before = feed.requests.length
          const stream = await transport.open(url, queryOf(variables), { variables: { ...variables } })
          let answer: unknown = null
          const answered = stream.next().then(
            (value) => {
              answer = value
            },
            () => undefined,
          )
          await vi.waitUntil(() => answer !== null || feed.requests.length > before, {
            timeout: 30_000,
            interval: 1,
          })
          const { errors = [] } = (answer ?? {}) as { errors?: { message: string; extensions?: object }[] }
          if (errors.length === 0) taken += 1
          else refused += 1
          for (const error of errors) {
            expect(Reflect.get(Object(error.extensions), 'code'), error.message).not.toBe(
              'INTERNAL_SERVER_ERROR',
            )
          }
          await stream.leave()
          await answered
        }),
        { numRuns: 120 },
      )
      expect(taken).toBeGreaterThan(0)
      expect(refused).toBeGreaterThan(0)
      expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
      feed.commit(
        { action: 'INSERT', new: { email: 'hidden@example.com', role: 'ADMIN' } },
        { action: 'INSERT', new: { email: 'ada@example.com', role: 'MEMBER' } },
      )
      expect((await honest.next()).data).toEqual({ userChanged: { new: { email: 'ada@example.com' } } })
      await honest.leave()
    }, 120_000)
  },
)
