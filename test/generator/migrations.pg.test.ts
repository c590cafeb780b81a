/** The SQL in prisma/migrations/, against the schema it was made from and the demo's seed. */
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, test } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { seed } from '../../prisma/seed.ts'
import { openDatabase } from '../support/database.ts'
import { catalogShape, databaseShape } from './database-shape.ts'

test('the migrations make exactly the tables and enums of the catalog', async () => {
  await using database = await openDatabase({ migrate: true })
  expect(await databaseShape(database)).toEqual(catalogShape(catalog))
})

test('a user needs nothing but an email, in SQL as in Prisma Client', async () => {
  await using database = await openDatabase({ migrate: true })
  await using prisma = openPrisma(database.url)
  await database.query(`INSERT INTO users (email) VALUES ('sql@example.com')`)
  await prisma.client.user.create({ data: { email: 'prisma@example.com' } })

  const [first, second] = await prisma.client.user.findMany({ orderBy: { email: 'desc' } })
  const { id, email, createdAt, updatedAt, balance, ...rest } = first ?? expect.unreachable()
  expect(rest).toEqual({
    fullName: null,
    role: 'MEMBER',
    storageBytes: 0n,
    signInCount: 0,
    reputation: 0,
    isActive: true,
    birthDate: null,
    settings: {},
    profile: null,
    avatar: null,
    tags: [],
    passwordHash: null,
    deletedAt: null,
  })
  expect(second).toMatchObject({ ...rest, balance })
  expect(balance.toString()).toBe('0')
})

test('the seed writes once', async () => {
  await using database = await openDatabase({ migrate: true })
  await using prisma = openPrisma(database.url)
  const counts = async () =>
    Promise.all([
      prisma.client.user.count(),
      prisma.client.post.count(),
      prisma.client.tag.count({ where: { posts: { some: {} } } }),
      prisma.client.auditEvent.count(),
    ])
  expect(await seed(prisma.client)).toBe(true)
  const written = await counts()
  expect(Math.min(...written)).toBeGreaterThan(0)
  expect(await seed(prisma.client)).toBe(false)
  expect(await counts()).toEqual(written)
})

/** A Prisma Client that ends with the test. */
function openPrisma(connectionString: string): AsyncDisposable & { readonly client: PrismaClient } {
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  return { client, [Symbol.asyncDispose]: () => client.$disconnect() }
}
