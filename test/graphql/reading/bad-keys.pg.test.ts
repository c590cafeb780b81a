/** Keys that PostgreSQL does not take, as clients choose them: they fail their own look-up, and nobody else's bounds. */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PrismaClient } from '../../../prisma/generated/client/client.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { createPagedClients, createReadBounds } from '../../../src/graphql/reading/paged-client.ts'
import { countRows } from '../../support/count-rows.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'

const counted = countRows()
let database: TestDatabase
let prisma: PrismaClient

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO "Tag" (name) SELECT 'tag' || n FROM generate_series(1, 30) n`)
  prisma = new PrismaClient({ adapter: new PrismaPg(counted.poolFor(database.url)) })
})

afterAll(async () => {
  await prisma.$disconnect()
  await counted.end()
  await database[Symbol.asyncDispose]()
})

/** As an operation of its own. */
const open = () => {
  const clientOf = createPagedClients(prisma, createReadBounds(catalog))
  return () => clientOf({}) as PrismaClient
}
const BAD = '\u0000'

it.each([
  ['no text', (n: number) => ({ name: `${BAD}${n}` }), 'rejected'],
  ['more than a key', (n: number) => ({ name: `tag${n}`, AND: [] }), 'fulfilled'],
])('rows are weighed before they are read, though %s was looked up before', async (_name, where, verdict) => {
  const client = open()
  const statements = async () => {
    const before = counted.statements
    await client().tag.findMany({ take: 20, orderBy: { id: 'asc' } })
    return counted.statements - before
  }
  expect(await statements()).toBe(2)
  const asked = Array.from({ length: 6 }, (_, n) => client().tag.findUnique({ where: where(n) }))
  for (const { status } of await Promise.allSettled(asked)) expect(status).toBe(verdict)
  expect(await statements()).toBe(2)
})

it('others that look up rows in the same turn get theirs', async () => {
  const client = open()
  const bad = client().tag.findUnique({ where: { name: BAD } })
  const good = client().tag.findUnique({ where: { name: 'tag1' } })
  const [, found] = await Promise.allSettled([bad, good])
  expect(found).toMatchObject({ status: 'fulfilled', value: { name: 'tag1' } })
})
