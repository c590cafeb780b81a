/** A change that one failing field makes null as a whole: its error says where to go on, for clients of any kind. */
import { describe, expect, test } from 'vitest'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { isCursor } from '../../src/changes/cursor.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { STREAM_TRANSPORTS } from '../security/transports.ts'
import { startServer } from './server-fixture.ts'

const BROKEN = new UnrepresentableValue('multi-dimensional', [['hunter2'], ['hunter2']])
const row = { id: 'u', email: 'a@example.com', bio: 'x', tags: ['t'] }
const inserted = (fields: object) => ({ action: 'INSERT', old: null, new: { ...row, ...fields } }) as const

async function startBlog() {
  const feed = createFakeFeed(blogCatalog, ['User'])
  feed.open()
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma: createRecordingPrisma(),
    feed,
    models: { User: {} },
  })
  return { feed, ...(await startServer({ schema })) }
}

/** Selections with `new`, and the code of what fails in the second of three changes. */
const FAILURES = [
  ['a plain field', '{ userChanged(after: $after) { new { email tags } } }', 'GRAPHQL_VALUE_UNREPRESENTABLE'],
  [
    'a field of one kind of change',
    '{ userChanged(after: $after) { action ... on UserInserted { new { email tags } } } }',
    'GRAPHQL_VALUE_UNREPRESENTABLE',
  ],
  [
    'a field under other names, with the cursor',
    '{ it: userChanged(after: $after) { at: cursor new { email list: tags } } }',
    'GRAPHQL_VALUE_UNREPRESENTABLE',
  ],
] as const

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    test.each(FAILURES)(
      '%s fails its change: the error has the cursor after it',
      async (_what, selection, code) => {
        const { feed, url } = await startBlog()
        const query = `subscription ($after: Cursor) ${selection}`
        // Two, so that they share their results.
        const streams = [await transport.open(url, query), await transport.open(url, query)]
        await expect.poll(() => feed.requests.length).toBe(2)
        feed.commit(inserted({}), inserted({ tags: BROKEN }), inserted({ email: 'c@example.com' }))
        let cursor: unknown
        for (const stream of streams) {
          expect((await stream.next()).errors).toEqual([])
          const failed = await stream.next()
          expect(failed.data).toBeNull()
          expect(failed.errors).toHaveLength(1)
          expect(failed.errors[0]?.extensions).toMatchObject({ code, cursor: expect.toSatisfy(isCursor) })
          expect(JSON.stringify(failed)).not.toContain('hunter2')
          cursor = failed.errors[0]?.extensions?.['cursor']
          // It was an error of one change: the subscription goes on.
          expect(JSON.stringify((await stream.next()).data)).toContain('c@example.com')
          await stream.leave()
        }
        const resumed = await transport.open(url, query, { variables: { after: cursor } })
        const { data, errors } = await resumed.next()
        expect([JSON.stringify(data), errors]).toEqual([expect.stringContaining('c@example.com'), []])
        await resumed.leave()
      },
    )

    test('a field that may be null fails alone: the change is there, and the error needs no cursor', async () => {
      const { feed, url } = await startBlog()
      const stream = await transport.open(url, 'subscription { userChanged { cursor new { email bio } } }')
      await expect.poll(() => feed.requests.length).toBe(1)
      feed.commit(inserted({ bio: BROKEN }))
      const { data, errors } = await stream.next()
      expect(data).toMatchObject({ userChanged: { new: { email: row.email, bio: null } } })
      expect(errors[0]?.extensions).not.toHaveProperty('cursor')
      await stream.leave()
    })
  },
)
