/** What GraphQL makes of a value that Prisma Client could not return either: an error with its place, never a value. */
import { expect, it } from 'vitest'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog } from './blog-catalog.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'
import { nextResult, subscribeTo } from './subscribe-to.ts'

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
