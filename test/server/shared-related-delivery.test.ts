/** Subscriptions whose policy follows relations: those of one audience have their results from one execution, and nobody has another's. */
import { type GraphQLError, parse } from 'graphql'
import { expect, it } from 'vitest'
import { asksRelatedRows } from '../../src/bus/filter/change-filter.ts'
import type { ChangeFeed } from '../../src/graphql/change-feed.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveries } from '../../src/server/delivery/deliveries.ts'
import { RESULT_TEXT, ResultStream } from '../../src/server/delivery/subscription-results.ts'
import { relatedDeliveries } from '../../src/sets/related-deliveries.ts'
import type { RowRequest } from '../../src/sets/related-rows.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { relatedBlog } from '../support/related-blog.ts'

const DOCUMENT = parse(
  'subscription { postChanged { action transition key { rowId } new { title } cursor } }',
)
const ROLES: Readonly<Record<string, string>> = { ada: 'ADMIN', bob: 'MEMBER' }

/** Users as they are when their sets are loaded. */
const readRows = async ({ model }: RowRequest) =>
  model.name === 'User' ? Object.entries(ROLES).map(([id, role]) => ({ id, role })) : []

function openWorld() {
  const { bus, commit } = relatedBlog(readRows)
  bus.open({ systemId: '1', timeline: 1, isFirst: true, floorLsn: 1n, serverLsn: 1n } as never)
  const feed: ChangeFeed = {
    ...createFakeFeed(blogCatalog, ['Post', 'User']),
    subscribeRelated({ filter, account, ...request }) {
      if (!asksRelatedRows(filter)) throw new Error('The policy follows relations.')
      const model = blogCatalog.models['Post'] as never
      const asked = { ...request, model, filter, setModels: new Set(['User']), asksForRows: true }
      return relatedDeliveries('Post', bus.subscribeRelated(asked), (row) => ({ ...row }))
    },
  }
  const schema = buildServiceSchema({
    ...{ catalog: blogCatalog, prisma: createRecordingPrisma({}), feed },
    models: { Post: { rows: (context) => ({ author: { role: Reflect.get(context, 'role') } }) } },
  })
  const mask = (error: unknown) => error as GraphQLError
  const deliveries = createDeliveries({ mask, guard: createGuard(silentLogger) })
  const open = async (role: string) => {
    const stream = await deliveries.subscribe({ schema, document: DOCUMENT, contextValue: { role } })
    if (!(stream instanceof ResultStream)) throw new Error(JSON.stringify(stream))
    return async () => (await stream.next()).value?.[RESULT_TEXT]
  }
  return { commit, open, deliveries }
}

const postBy = (authorId: string) => {
  const after = { id: 1, authorId, title: `by ${authorId}`, published: true, createdAt: new Date(0) }
  return { model: 'Post', action: 'INSERT', old: null, new: after } as const
}

it('makes the result of a change once for all of an audience, and another one for another', async () => {
  const { commit, open, deliveries } = openWorld()
  const admins = [await open('ADMIN'), await open('ADMIN'), await open('ADMIN')]
  const readers = [await open('MEMBER'), await open('MEMBER')]
  expect(deliveries.groups.size).toBe(2)
  const asked = [...admins, ...readers].map((next) => next())
  // Their sets are loaded by then: the writes are given as they come.
  await new Promise((resolve) => setImmediate(resolve))
  commit(10, postBy('ada'))
  commit(20, postBy('bob'))
  const [first, second, third, fourth, fifth] = await Promise.all(asked)
  expect(first?.text).toContain('by ada')
  expect([second, third].every((each) => each === first)).toBe(true)
  expect(fourth?.text).toContain('by bob')
  expect(fifth).toBe(fourth)
})
