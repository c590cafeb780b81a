/** Totals that are offered of a type are those that PostgreSQL has: Prisma Client offers more. */
import { readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import type { FieldSpec } from '../../src/catalog/model-catalog.ts'
import { hasExtremes, isSummed } from '../../src/sets/total-fields.ts'
import { openDatabase } from '../support/database.ts'
import { provideTypesClient, TYPES_TABLES } from '../support/types-schema/provide-types-client.ts'

describe('totals of each type', () => {
  it('are what the database answers', async () => {
    const { catalog, PrismaClient } = await provideTypesClient()
    await using database = await openDatabase()
    await database.query(await readFile(TYPES_TABLES, 'utf8'))
    const fields = catalog.models['Single']?.fields ?? []
    const named = (isOffered: (field: FieldSpec) => boolean) =>
      Object.fromEntries(fields.filter(isOffered).map(({ name }) => [name, true]))
    const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
    const single = Reflect.get(client, 'single') as { aggregate(query: object): Promise<object> }
    const extremes = named(hasExtremes)
    const query = { _sum: named(isSummed), _min: extremes, _max: extremes }
    const answer = await single.aggregate(query).finally(() => client.$disconnect())
    expect(Object.keys(answer).sort()).toEqual(Object.keys(query).sort())
    expect(Object.keys(extremes)).toEqual(expect.arrayContaining(['text', 'timetz', 'mood', 'inet']))
    // Prisma Client does not read it from a thousand on.
    expect(extremes).not.toHaveProperty('money')
  })
})
