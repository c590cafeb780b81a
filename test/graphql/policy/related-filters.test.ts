/** Filters that follow relations: what the schema has of them, what Prisma is asked, and what a viewer cannot learn by them. */
import { buildSchema, type ExecutionResult, type GraphQLSchema, printSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { addChanges } from '../../../src/graphql/kit/add-changes.ts'
import { changeTypeDefs } from '../../../src/graphql/kit/schema-kit.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import type { ModelExposure } from '../../../src/graphql/service-types.ts'
import { blogCatalog, field, model, relation } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { codeOf, openBlog } from './viewer.ts'

const inputFieldsOf = (schema: GraphQLSchema, name: string): string[] => {
  const type = schema.getType(name)
  return type !== undefined && 'getFields' in type ? Object.keys(type.getFields()) : []
}

const schemaOf = (catalog: ModelCatalog, models: Readonly<Record<string, ModelExposure>> = {}) =>
  buildServiceSchema({
    ...{ catalog, models },
    prisma: createRecordingPrisma(),
    feed: createFakeFeed(catalog, Object.keys(models)),
  })

/** What Prisma is asked for a query, under policies. */
async function askedFor(
  where: string,
  models: Readonly<Record<string, ModelExposure>> = {},
): Promise<{ readonly asked: unknown; readonly result: ExecutionResult }> {
  let asked: unknown = null
  const answers = {
    'post.findMany': (query: Readonly<Record<string, unknown>>) => {
      asked = query['where']
      return []
    },
  }
  const { query } = openBlog(models, { answers })
  const result = await query(`{ posts(where: ${where}) { id } }`)
  return { asked, result }
}

describe('the inputs', () => {
  it('lead to the models that are shown, by relations that are', () => {
    const schema = schemaOf(blogCatalog, { User: { omit: ['profile'] }, Post: {} })
    const user = inputFieldsOf(schema, 'UserWhere')
    expect(user).toEqual(expect.arrayContaining(['posts', 'memberships']))
    // One is omitted by its name, the other leads to a model that is.
    for (const name of ['profile', 'secrets']) expect(user).not.toContain(name)
    expect(inputFieldsOf(schema, 'PostListRelationFilter')).toEqual(['every', 'none', 'some'])
    expect(inputFieldsOf(schema, 'UserRelationFilter')).toEqual(['is', 'isNot'])
    expect(printSchema(schema)).not.toMatch(/Secret/)
  })

  it('of the kit lead to its models alone, and by what the team’s own type shows', () => {
    const feed = createFakeFeed(blogCatalog, ['User', 'Post'])
    const sdl = changeTypeDefs(feed, { models: { User: {}, Post: {} } })
    expect(sdl).toMatch(/input PostWhere \{[^}]*author: UserRelationFilter/)
    expect(sdl).not.toMatch(/memberships|tags: TagList/)
    const own = buildSchema(
      'type Query { user: User } type User { id: ID, email: String } type Post { id: ID, author: User }',
    )
    const added = addChanges(own, feed, { models: { User: { type: 'User' }, Post: { type: 'Post' } } })
    expect(inputFieldsOf(added, 'UserWhere')).toEqual(['id', 'email', 'AND', 'OR', 'NOT'])
    expect(inputFieldsOf(added, 'PostWhere')).toEqual(['id', 'author', 'AND', 'OR', 'NOT'])
  })

  it('grow with the models, and no faster', () => {
    const sizes = [100, 300].map((count) => {
      const models = Array.from({ length: count }, (_, index) =>
        model(`M${index}`, {
          fields: [field('id', 'Int'), field('aId', 'Int'), field('bId', 'Int'), field('cId', 'Int')],
          relations: ['a', 'b', 'c'].flatMap((name, way) => [
            relation(name, `M${(index + way + 1) % count}`, `${name}${index}`, {
              ...{ fields: [`${name}Id`], references: ['id'], isRequired: true },
            }),
            relation(
              `${name}Of`,
              `M${(index + count - way - 1) % count}`,
              `${name}${(index + count - way - 1) % count}`,
              {
                isList: true,
              },
            ),
          ]),
        }),
      )
      const specs = Object.fromEntries(models.map((spec) => [spec.name, spec]))
      const catalog: ModelCatalog = { formatVersion: 1, models: specs, enums: {}, joinTables: [] }
      const schema = schemaOf(catalog)
      const inputs = Object.keys(schema.getTypeMap()).filter((name) => /Where$|RelationFilter$/.test(name))
      expect(inputs.length).toBe(3 * count)
      return printSchema(schema).length
    })
    expect(sizes[1]).toBeLessThan(3.2 * (sizes[0] ?? 0))
  }, 120_000)
})

describe('what is asked of related rows', () => {
  const ofAda: Readonly<Record<string, ModelExposure>> = {
    User: { rows: () => ({ email: 'ada@x' }) },
    Profile: { rows: () => ({ userId: 'u' }) },
  }

  it('is asked of those that the viewer may see', async () => {
    const where =
      '{ author: { is: { bio: { equals: "b" } } }, replies: { every: { views: { equals: "1" } } } }'
    expect((await askedFor(where)).asked).toEqual({
      author: { is: { bio: { equals: 'b' } } },
      replies: { every: { views: { equals: 1n } } },
    })
    expect((await askedFor(where, { ...ofAda, Post: { rows: () => ({ title: 't' }) } })).asked).toEqual({
      AND: [
        {
          author: { is: { bio: { equals: 'b' }, AND: [{ email: 'ada@x' }] } },
          replies: { every: { OR: [{ NOT: { title: 't' } }, { views: { equals: 1n } }] } },
        },
        { title: 't' },
      ],
    })
  })

  it('stays unknown where the rule is null of the row', async () => {
    const models: typeof ofAda = { User: { rows: () => ({ bio: 'b' }) } }
    const email = { email: { equals: 'e' } }
    expect((await askedFor('{ author: { isNot: { email: { equals: "e" } } } }', models)).asked).toEqual({
      author: { isNot: { AND: [{ bio: 'b' }, { OR: [{ NOT: { bio: 'b' } }, email] }] } },
    })
  })

  it('has no row where there is none to be seen', async () => {
    expect((await askedFor('{ author: { is: null } }', ofAda)).asked).toEqual({
      author: { isNot: { email: 'ada@x' } },
    })
    expect((await askedFor('{ author: null }')).asked).toEqual({ author: { is: null } })
    expect((await askedFor('{ author: { isNot: null, is: { bio: null } } }', ofAda)).asked).toEqual({
      author: { is: { AND: [{ bio: null, AND: [{ email: 'ada@x' }] }, { email: 'ada@x' }] } },
    })
  })

  it('is refused by hidden fields, keys and depth', async () => {
    const hidden: Readonly<Record<string, ModelExposure>> = { User: { fields: () => ['id', 'email'] } }
    const refusalOf = async (where: string, models: typeof hidden = {}) => {
      const { result, asked } = await askedFor(where, models)
      expect(asked).toBeNull()
      return [codeOf(result), result.errors?.[0]?.message]
    }
    expect(await refusalOf('{ author: { is: { bio: { equals: "b" } } } }', hidden)).toEqual([
      'BAD_FILTER',
      expect.stringContaining('where.author.is.bio: User has no such field.'),
    ])
    // Who belongs to whom is in the foreign key.
    const keyless = { Post: { fields: () => ['id', 'title'] } }
    expect(await refusalOf('{ author: { is: { bio: { equals: "b" } } } }', keyless)).toEqual([
      'BAD_FILTER',
      expect.stringContaining('where.author: Post has no such field.'),
    ])
    const deep =
      '{ parent: { is: { parent: { is: { parent: { is: { parent: { is: { title: { equals: "t" } } } } } } } } } }'
    expect(await refusalOf(deep)).toEqual([
      'BAD_FILTER',
      expect.stringContaining(
        'where.parent.is.parent.is.parent.is.parent: it is more than 3 relations away.',
      ),
    ])
    for (const empty of ['{ some: {} }', '{ none: { AND: [] } }', '{ none: { OR: [] } }', '{}'])
      expect((await refusalOf(`{ replies: ${empty} }`))[0]).toBe('BAD_FILTER')
    const many = Array.from({ length: 300 }, () => '{ author: { is: { email: { equals: "e" } } } }')
    expect((await refusalOf(`{ OR: [${many.join()}] }`))[0]).toBe('BAD_FILTER')
  })

  it('is for those who may subscribe to the related model', async () => {
    const source =
      'subscription { postChanged(where: { author: { is: { email: { equals: "e" } } } }) { action } }'
    const { watch } = openBlog({
      User: { canSubscribe: ({ name }: { name: string }) => name === 'ada' } as never,
    })
    expect(codeOf(await watch(source, { name: 'bob' }))).toBe('FORBIDDEN')
    // Whoever may is refused by the feed of this test alone, which follows no relations.
    expect(codeOf(await watch(source))).not.toBe('FORBIDDEN')
  })
})
