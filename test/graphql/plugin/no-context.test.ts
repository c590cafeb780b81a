/** A server of one's own that forgets the context. */
import { parse, subscribe } from 'graphql'
import { expect, it } from 'vitest'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'

const SUBSCRIPTION = 'subscription { userChanged { new { email posts { title } } } }'

function blog(rows?: () => 'all') {
  const feed = createFakeFeed(blogCatalog, ['User', 'Post'])
  const models = { User: rows === undefined ? {} : { rows }, Post: {} }
  const prisma = createRecordingPrisma()
  return { feed, schema: buildServiceSchema({ catalog: blogCatalog, prisma, feed, models }) }
}

const contexts = [undefined, null, false, 'ada']

it.each(contexts)(
  'a subscription with the context %s is refused, and says what to give',
  async (contextValue) => {
    for (const rows of [undefined, () => 'all' as const]) {
      const { schema } = blog(rows)
      const result = await subscribe({ schema, document: parse(SUBSCRIPTION), contextValue })
      expect(result).toMatchObject({ errors: [{ message: expect.stringContaining('GRAPHQL_NO_CONTEXT') }] })
    }
  },
)

it('a context of the viewer lets it begin', async () => {
  const result = await subscribe({ schema: blog().schema, document: parse(SUBSCRIPTION), contextValue: {} })
  expect(result).toHaveProperty('next')
})
