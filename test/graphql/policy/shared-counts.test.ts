/** Counts of related rows are of one viewer: whoever sees other rows of the model that is counted shares no result, though nothing of it is selected but a number. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { type GraphQLError, parse } from 'graphql'
import { expect, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { createGuard } from '../../../src/guard.ts'
import { silentLogger } from '../../../src/logger.ts'
import { createDeliveries } from '../../../src/server/delivery/deliveries.ts'
import { RESULT_TEXT, ResultStream } from '../../../src/server/delivery/subscription-results.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'

const [ADA, BOB] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b']
/** As many posts as the one viewer has, or the other. */
const countIn = (query: unknown) => (JSON.stringify(query).includes(ADA) ? 1111 : 2222)

interface Viewer {
  readonly name: string
}

function createSchema() {
  const feed = Object.assign(createFakeFeed(catalog, ['User', 'Post', 'Comment']), {
    policies: new Map([['Post', { rows: (context: object) => ({ authorId: (context as Viewer).name }) }]]),
  })
  const user = (query: unknown) => ({ id: 'a', email: 'ada@x', _count: { posts: countIn(query) } })
  const answers = {
    'post.count': countIn,
    'user.findUniqueOrThrow': user,
    'user.findFirst': user,
    'user.findUnique': user,
    'user.findMany': (query: unknown) => [user(query)],
  }
  const prisma = createRecordingPrisma(answers as never, { readsTogether: true })
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes; Context: Viewer }>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: { client: prisma, dmmf: getDatamodel() },
    rowcast: { feed, shareBy: () => '' },
  })
  builder.prismaObject('User', {
    fields: (t) => ({
      email: t.exposeString('email'),
      postCount: t.relationCount('posts'),
      titledCount: t.relationCount('posts', {
        args: { title: t.arg.string() },
        where: ({ title }) => (title == null ? {} : { title }),
      }),
    }),
  })
  builder.prismaObject('Post', { fields: (t) => ({ title: t.exposeString('title') }) })
  builder.queryType({ fields: (t) => ({ a: t.string({ resolve: () => 'x' }) }) })
  builder.changeSubscription('User')
  return { feed, schema: builder.toSchema() }
}

async function countsOf(selection: string) {
  const { feed, schema } = createSchema()
  const deliveries = createDeliveries({
    mask: (error) => error as GraphQLError,
    guard: createGuard(silentLogger),
  })
  const open = async (name: string) => {
    const stream = await deliveries.subscribe({
      ...{ schema, document: parse(`subscription { userChanged { new { ${selection} } } }`) },
      contextValue: { name },
    })
    if (!(stream instanceof ResultStream)) throw new Error(JSON.stringify(stream))
    return async () => (await stream.next()).value?.[RESULT_TEXT]?.text
  }
  const [bob, ada] = [await open(BOB as string), await open(ADA as string)]
  const groups = deliveries.groups.size
  const asked = [bob(), ada()]
  const row = { id: 'a', email: 'ada@x', tags: [] }
  feed.commit({ model: 'User', action: 'UPDATE', old: { ...row, email: 'old@x' }, new: row })
  const texts = (await Promise.all(asked)).map(String)
  return { groups, counts: texts.map((text) => /Count":(\d+)/.exec(text)?.[1] ?? text) }
}

it.each(['email postCount', 'email titledCount(title: "x")', 'email ... on User { titledCount }'])(
  'those who see other rows count others: %s',
  async (selection) => {
    expect(await countsOf(selection)).toEqual({ groups: 2, counts: ['2222', '1111'] })
  },
)

it('where nothing is counted they share', async () => {
  expect((await countsOf('email')).groups).toBe(1)
})
