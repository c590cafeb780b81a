import { PrismaPg } from '@prisma/adapter-pg'
import { execute, type GraphQLObjectType, getNamedType, isObjectType, isScalarType, parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { seed } from '../../prisma/seed.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { loadRelations } from '../../src/graphql/plugin/image-relations.ts'
import { delegateOf } from '../../src/graphql/prisma-delegate.ts'
import { createReadBounds, readerOf } from '../../src/graphql/reading/paged-client.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { toImage } from '../../src/graphql/subscription/image-rows.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createFakeFeed } from './fake-feed.ts'
import { nextResult, subscribeTo } from './subscribe-to.ts'

let database: TestDatabase
let prisma: PrismaClient
const bounds = createReadBounds(catalog)
const models: readonly ModelSpec[] = Object.values(catalog.models)

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  await seed(prisma)
})

afterAll(async () => {
  await prisma.$disconnect()
  await database[Symbol.asyncDispose]()
})

function service() {
  const names = models.map((model) => model.name)
  const feed = createFakeFeed(catalog, names)
  const live = Object.fromEntries(names.map((name) => [name, {}]))
  return { feed, schema: buildServiceSchema({ catalog, prisma, feed, models: live }) }
}

/** Every relation, lists in the order of their key so that two answers can be compared. */
function everyRelation(model: ModelSpec) {
  const include = model.relations.map((relation) => {
    const target = models.find(({ name }) => name === relation.model)
    const orderBy = target?.primaryKey.map((field) => ({ [field]: 'asc' }))
    return [relation.name, relation.isList ? { orderBy } : true] as const
  })
  const counts = model.relations
    .filter((relation) => relation.isList)
    .map(({ name }) => [name, true] as const)
  const count = counts.length === 0 ? {} : { _count: { select: Object.fromEntries(counts) } }
  return { include: { ...Object.fromEntries(include), ...count } }
}

describe('relations of images', () => {
  it.each(models.map((model) => [model.name, model] as const))(
    'of %s are those that Prisma finds for the row',
    async (name, model) => {
      const delegate = delegateOf(prisma, name)
      const rows = await delegate.findMany({})
      expect(rows.length).toBeGreaterThan(0)
      for (const row of rows) {
        const key = Object.fromEntries(model.primaryKey.map((field) => [field, row[field]]))
        const expected = await delegate.findFirst({ ...everyRelation(model), where: key })
        const reader = readerOf(prisma, bounds)
        const image = toImage(name, Object.freeze({ ...row }))
        expect(
          await loadRelations(
            { catalog, reader, reads: reader.pool.open() },
            model,
            image,
            everyRelation(model),
          ),
        ).toEqual(expected)
      }
    },
  )

  it.each(models.map((model) => [model.name, model] as const))(
    'of all %s rows at once are the same, lists, rows and counts',
    async (name, model) => {
      const delegate = delegateOf(prisma, name)
      const rows = await delegate.findMany({})
      const reader = readerOf(prisma, bounds)
      const loaded = await Promise.all(
        rows.map((row) =>
          loadRelations(
            { catalog, reader, reads: reader.pool.open() },
            model,
            toImage(name, Object.freeze({ ...row })),
            everyRelation(model),
          ),
        ),
      )
      const keyOf = (row: Readonly<Record<string, unknown>>) =>
        Object.fromEntries(model.primaryKey.map((field) => [field, row[field]]))
      const expected = await Promise.all(
        rows.map((row) => delegate.findFirst({ ...everyRelation(model), where: keyOf(row) })),
      )
      expect(loaded).toEqual(expected)
    },
  )

  it('with conditions are those that Prisma finds, for many rows at once', async () => {
    const post = models.find(({ name }) => name === 'Post')
    if (post === undefined) return expect.unreachable('no model')
    const selection = {
      include: {
        reviewer: { where: { isActive: true } },
        comments: { where: { id: { gt: 2 } }, orderBy: { id: 'asc' }, take: 2 },
        _count: { select: { comments: { where: { id: { gt: 2 } } }, tags: { where: { id: { gt: 1 } } } } },
      },
    }
    const rows = await prisma.post.findMany({ orderBy: { id: 'asc' } })
    const reader = readerOf(prisma, bounds)
    const images = rows.map((row) => toImage('Post', Object.freeze({ ...row })))
    const loaded = await Promise.all(
      images.map((image) =>
        loadRelations({ catalog, reader, reads: reader.pool.open() }, post, image, selection),
      ),
    )
    expect(loaded).toEqual(
      await delegateOf(prisma, 'Post').findMany({ ...selection, orderBy: { id: 'asc' } }),
    )
  })

  it('under `old` are there though the row is gone, and null once they are gone too', async () => {
    const { feed, schema } = service()
    const author = await prisma.user.create({ data: { email: 'gone@example.com' } })
    const old = await prisma.post.create({ data: { title: 'Gone', authorId: author.id } })
    const source = `subscription {
      postChanged { old { title author { email posts { id } } reviewer { id } } }
    }`
    const results = await subscribeTo(schema, source)
    await prisma.post.delete({ where: { id: old.id } })
    feed.commit({ model: 'Post', action: 'DELETE', old })
    const rest = { title: 'Gone', reviewer: null }
    expect(await nextResult(results)).toEqual({
      data: { postChanged: { old: { ...rest, author: { email: 'gone@example.com', posts: [] } } } },
    })
    await prisma.user.delete({ where: { id: author.id } })
    feed.commit({ model: 'Post', action: 'DELETE', old })
    expect(await nextResult(results)).toEqual({ data: { postChanged: { old: { ...rest, author: null } } } })
  })

  it('under `old` and `new` of one UPDATE follow each row’s own foreign key', async () => {
    const { feed, schema } = service()
    const [first, second] = await prisma.user.findMany({ take: 2, orderBy: { email: 'asc' } })
    const old = await prisma.post.findFirstOrThrow({ where: { authorId: first?.id ?? '' } })
    const results = await subscribeTo(
      schema,
      'subscription { postChanged { old { author { email } } new { author { email } } } }',
    )
    feed.commit({ model: 'Post', old, new: { ...old, authorId: second?.id } })
    expect(await nextResult(results)).toEqual({
      data: {
        postChanged: { old: { author: { email: first?.email } }, new: { author: { email: second?.email } } },
      },
    })
  })

  it('take pages, aliases and deep selections', async () => {
    const { feed, schema } = service()
    const row = await prisma.user.findFirstOrThrow({ where: { posts: { some: {} } } })
    const ids = await prisma.post.findMany({ where: { authorId: row.id }, orderBy: { id: 'asc' } })
    const results = await subscribeTo(
      schema,
      `subscription {
        userChanged { new { first: posts(take: 1) { id author { email } } rest: posts(skip: 1) { id tags { posts { id } } } } }
      }`,
    )
    feed.commit({ new: row })
    const result = await nextResult(results)
    expect(result?.errors).toBeUndefined()
    expect(result?.data?.['userChanged']).toMatchObject({
      new: {
        first: [{ id: String(ids[0]?.id), author: { email: row.email } }],
        rest: ids.slice(1).map(({ id }) => ({ id: String(id) })),
      },
    })
  })
})

describe('queries', () => {
  it('answer every column of every model from the real database', async () => {
    const { schema } = service()
    const lists = Object.values(schema.getQueryType()?.getFields() ?? {}).filter((field) =>
      field.args.some(({ name }) => name === 'take'),
    )
    expect(lists.length).toBe(models.length)
    for (const field of lists) {
      const type = getNamedType(field.type) as GraphQLObjectType
      const columns = Object.values(type.getFields()).filter(
        (column) => !isObjectType(getNamedType(column.type)),
      )
      expect(columns.some((column) => isScalarType(getNamedType(column.type)))).toBe(true)
      const document = parse(`{ ${field.name} { ${columns.map(({ name }) => name).join(' ')} } }`)
      const result = await execute({ schema, document, contextValue: {} })
      expect(result.errors).toBeUndefined()
      const rows = result.data?.[field.name] as unknown[]
      expect(rows.length, field.name).toBeGreaterThan(0)
    }
  })
})
