/** What GraphQL makes of a value that Prisma Client could not return either: an error with its place, never a value. */
import { type ExecutionResult, execute, GraphQLObjectType, GraphQLSchema, parse } from 'graphql'
import { expect, it } from 'vitest'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { SCALARS } from '../../src/graphql/scalars.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog } from './blog-catalog.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'
import { nextResult, subscribeTo } from './subscribe-to.ts'

/** No date, no number, no bytes; and no JSON that can be written. */
const TOO_DEEP: unknown = JSON.parse('['.repeat(1_001) + ']'.repeat(1_001))

it('is an error at its field, and the subscription goes on', async () => {
  const feed = createFakeFeed(blogCatalog, ['User'])
  const prisma = createRecordingPrisma()
  const schema = buildServiceSchema({ catalog: blogCatalog, prisma, feed, models: { User: {} } })
  const results = await subscribeTo(schema, 'subscription { userChanged { new { email bio tags } } }')
  const row = { email: 'a@example.com', bio: 'x', tags: ['t'] }
  const broken = new UnrepresentableValue('multi-dimensional', [['a'], ['b']])
  feed.commit({ new: { ...row, bio: broken } })
  // Nullable: the field alone.
  expect(await nextResult(results)).toMatchObject({
    data: { userChanged: { new: { email: 'a@example.com', bio: null } } },
    errors: [{ path: ['userChanged', 'new', 'bio'] }],
  })
  feed.commit({ new: { ...row, tags: broken } })
  // Not nullable: GraphQL takes the row that cannot do without it, and the change that cannot do without its row.
  expect(await nextResult(results)).toMatchObject({
    data: null,
    errors: [{ path: ['userChanged', 'new', 'tags'] }],
  })
  feed.commit({ new: row })
  expect(await nextResult(results)).toEqual({ data: { userChanged: { new: row } } })
})

it('has its sentence and its code in a server that knows nothing of rowcast, too', () => {
  const { DateTime, JSON: Json, Bytes, BigInt: Big, Decimal } = SCALARS
  const fields = Object.fromEntries(
    [DateTime, Json, Bytes, Big, Decimal].map((type) => [type.name, { type, resolve: () => TOO_DEEP }]),
  )
  const schema = new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields }) })
  const names = Object.keys(fields)
  const { errors } = execute({ schema, document: parse(`{ ${names.join(' ')} }`) }) as ExecutionResult
  expect(errors?.map((error) => error.toJSON())).toEqual(
    names.map((name) => ({
      message: expect.stringMatching(/^The value of a \w+ field cannot be shown \([\w-]+\)\.$/),
      locations: expect.any(Array),
      path: [name],
      extensions: {
        code: 'GRAPHQL_VALUE_UNREPRESENTABLE',
        hint: expect.any(String),
        reason: expect.any(String),
      },
    })),
  )
})
