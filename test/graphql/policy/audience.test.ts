/** Whose results may be shared: those of viewers who are shown the same of everything that is selected. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { parse } from 'graphql'
import { expect, it } from 'vitest'
import { Prisma } from '../../../prisma/generated/client/client.ts'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { audienceOf } from '../../../src/graphql/audience.ts'
import { openSourceEvents } from '../../../src/graphql/graphql-version.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import type { ModelExposure } from '../../../src/graphql/service-types.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import type { Viewer } from './viewer.ts'

/** The audiences of these viewers, each with a context of its own. */
async function audiences(
  models: Readonly<Record<string, ModelExposure>>,
  source: string,
  names: readonly string[] = ['ada', 'ada', 'bob'],
): Promise<readonly (string | null)[]> {
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma: createRecordingPrisma(),
    feed: createFakeFeed(blogCatalog, ['User', 'Post']),
    models: { User: {}, Post: {}, ...models },
  })
  const document = parse(source)
  return Promise.all(
    names.map(async (name) => {
      const contextValue: Viewer = { name }
      const stream = await openSourceEvents({ schema, document, contextValue })
      if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream))
      return audienceOf(stream)
    }),
  )
}

const nameOf = (context: object) => (context as Viewer).name
const own = { rows: (context: object) => ({ email: `${nameOf(context)}@x` }) as never }
const USERS = 'subscription { userChanged { new { email } } }'
const AUTHORS = 'subscription { postChanged { new { title replies { author { email } } } } }'

it('is everybody where no policy asks who the viewer is', async () => {
  const [ada, again, bob] = await audiences({ User: { omit: ['bio'] } }, USERS)
  expect(ada).not.toBeNull()
  expect([again, bob]).toEqual([ada, ada])
})

it.each([
  ['rows', own, USERS],
  ['fields', { fields: (context: object) => (nameOf(context) === 'ada' ? 'all' : ['id', 'email']) }, USERS],
  ['rows of a model that stands deeper', own, AUTHORS],
] as const)('is distinguished by %s', async (_, policy, source) => {
  const [ada, again, bob] = await audiences({ User: policy as ModelExposure }, source)
  expect(ada).not.toBeNull()
  expect(again).toBe(ada)
  expect(bob).not.toBeNull()
  expect(bob).not.toBe(ada)
})

it('is not distinguished by models that are not selected', async () => {
  const [ada, , bob] = await audiences({ User: own }, 'subscription { postChanged { new { title } } }')
  expect(ada).not.toBeNull()
  expect(bob).toBe(ada)
})

it('is not known of a schema of somebody’s own, unless it says so', async () => {
  const audienceIn = async (shareBy?: (context: object) => string | null) => {
    const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
      plugins: [PrismaPlugin, RowcastPlugin],
      prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
      rowcast: { feed: createFakeFeed(catalog, ['Tag']), shareBy },
    })
    builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
    builder.prismaObject('Tag', { fields: (t) => ({ name: t.exposeString('name') }) })
    builder.changeSubscription('Tag')
    const document = parse('subscription { tagChanged { new { name } } }')
    const schema = builder.toSchema()
    const stream = await openSourceEvents({ schema, document, contextValue: { name: 'ada' } })
    if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream))
    return audienceOf(stream)
  }
  expect(await audienceIn()).toBeNull()
  expect(await audienceIn(() => null)).toBeNull()
  expect(await audienceIn(nameOf)).toContain('ada')
})

it('is not known where a filter holds what has no text, such as the nulls of Json', async () => {
  const rows = () => ({ layout: { equals: Prisma.AnyNull } }) as never
  expect(await audiences({ Post: { rows } }, 'subscription { postChanged { action } }', ['ada'])).toEqual([
    null,
  ])
})
