/** The compiled form of a subscription against graphql-js: the same text, or none at all. */
import fc from 'fast-check'
import { execute, parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { CHANGE_ACTIONS } from '../../src/changes/change.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { compileOperation } from '../../src/server/execution/compile-operation.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { plainChange } from '../support/plain-change.ts'
import { subscriptionArbitrary } from '../support/subscription-arbitrary.ts'

const prisma = createRecordingPrisma({
  'user.findUnique': () => ({ id: 'u', email: 'ada@example.com', role: 'ADMIN', tags: [] }),
})
const schema = buildServiceSchema({
  catalog: blogCatalog,
  prisma,
  feed: createFakeFeed(blogCatalog, ['User', 'Post']),
  models: { User: {}, Post: {} },
})
const RELATIONS = new Set(['posts', 'profile', 'memberships', 'author', 'parent', 'replies'])

/** Mostly what a column may hold; sometimes what it may not, or what no scalar takes. */
const faulty = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: value as fc.Arbitrary<unknown>, weight: 30 }, fc.constantFrom(null, undefined, {}))
const user = fc.record({
  id: faulty(fc.uuid()),
  email: faulty(fc.string({ unit: 'grapheme' })),
  bio: faulty(fc.option(fc.string())),
  role: faulty(fc.constantFrom('MEMBER', 'ADMIN', 'NOBODY')),
  balance: faulty(fc.constantFrom('1.50', '-3', 'many')),
  tags: faulty(fc.array(faulty(fc.string()))),
  createdAt: faulty(fc.date({ noInvalidDate: false })),
})
const image = fc.option(user)
const action = fc.constantFrom('UPDATE' as const, 'UPDATE' as const, ...CHANGE_ACTIONS)
const deliveries: fc.Arbitrary<Delivery> = fc
  .record({
    action,
    before: image,
    after: image,
    unavailable: fc.constantFrom([], [], ['bio']),
    transition: fc.constantFrom(null, 'ENTERED' as const, 'STAYED' as const, 'LEFT' as const),
    flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  })
  .map(
    ({
      action,
      before,
      after,
      unavailable,
      transition,
      flags: [hidesOld, hidesNew, isLastOfTransaction],
    }) => ({
      change: plainChange({
        ...{ action, old: before, new: after, key: { id: after?.id ?? 'none' } },
        ...{ changed: ['email', 'bio'], unavailable },
      }),
      ...{ transition, hidesOld, hidesNew, isLastOfTransaction },
    }),
  )

async function oracle(source: string, variables: object, delivery: Delivery): Promise<string> {
  const args = { schema, document: parse(source), contextValue: {}, rootValue: delivery }
  return JSON.stringify(await execute({ ...args, variableValues: variables as Record<string, unknown> }))
}

describe('a compiled subscription', () => {
  test('gives what graphql-js gives, or leaves it to graphql-js', async () => {
    let compiledCount = 0
    let writtenCount = 0
    await fc.assert(
      fc.asyncProperty(
        subscriptionArbitrary(schema, { field: 'userChanged', except: RELATIONS }),
        fc.array(deliveries, { minLength: 1, maxLength: 4 }),
        async ({ source, variables }, changes) => {
          const document = parse(source)
          expect(validate(schema, document)).toEqual([])
          const compiled = compileOperation({ schema, document, variableValues: variables })
          if (compiled !== null) compiledCount += 1
          for (const delivery of changes) {
            const text = compiled?.run(delivery, {})?.text ?? null
            if (text === null) continue
            writtenCount += 1
            expect(text).toBe(await oracle(source, variables, delivery))
          }
        },
      ),
      { numRuns: 400 },
    )
    expect(compiledCount).toBe(400)
    expect(writtenCount).toBeGreaterThan(200)
  })

  const healthy: Delivery = {
    change: plainChange({
      new: { id: 'u', email: 'ada@example.com', bio: null, role: 'ADMIN', balance: '1', tags: ['a'] },
      key: { id: 'u' },
    }),
    ...{ transition: 'ENTERED', hidesOld: true, hidesNew: false, isLastOfTransaction: true },
  }
  const compile = (source: string) => compileOperation({ schema, document: parse(source) })

  test.each([
    ['a null where none may be', { email: null }],
    ['a value that its scalar refuses', { email: {} }],
    ['an enum value that there is none of', { role: 'NOBODY' }],
    ['an error in the place of a value', { email: new Error('no') }],
    ['a hole in a list', { tags: [null] }],
    ['text in the place of a list', { tags: 'a' }],
  ])('leaves %s to graphql-js, and takes the next delivery', async (_what, fault) => {
    const source = 'subscription { userChanged { new { email role tags } } }'
    const compiled = compile(source)
    const faulty = { ...healthy, change: plainChange({ new: { ...healthy.change.new, ...fault } }) }
    expect(compiled?.run(faulty, {})).toBeNull()
    expect(compiled?.run(healthy, {})?.text).toBe(await oracle(source, {}, healthy))
  })

  test.each([
    ['a relation', 'subscription { userChanged { new { profile { userId } } } }'],
    ['a field with arguments', 'subscription { userChanged { new { posts(first: 2) { id } } } }'],
  ])('does not exist for %s', (_what, source) => {
    expect(compile(source)).toBeNull()
    expect(prisma.calls).toEqual([])
  })

  test('knows whether the cursor is delivered under its own name', () => {
    const hasCursor = (source: string) =>
      compile(`subscription { userChanged ${source}`)?.run(healthy, {})?.hasCursor
    expect(hasCursor('{ cursor } }')).toBe(true)
    expect(hasCursor('{ ...F } } fragment F on UserChange { cursor }')).toBe(true)
    expect(hasCursor('{ at: cursor } }')).toBe(false)
    expect(hasCursor('{ cursor: action } }')).toBe(false)
    expect(hasCursor('{ action ... on UserInserted { cursor } } }')).toBe(false)
    expect(hasCursor('{ action ... on UserUpdated { cursor } } }')).toBe(true)
  })
})
