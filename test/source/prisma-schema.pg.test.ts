/** Changes come from the tables that the Prisma Client reads and writes: it is the oracle of where they are. */
import { readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog as sample } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { provideTypesClient, TYPES_TABLES } from '../support/types-schema/provide-types-client.ts'

/** The tables of models without @@schema, and one of them once more in a schema that the role finds first. */
async function openTwice() {
  const database = await openDatabase()
  await database.query(await readFile(TYPES_TABLES, 'utf8'))
  await database.query(
    'CREATE SCHEMA sales; CREATE TABLE sales.single_values (LIKE public.single_values INCLUDING ALL)',
  )
  await database.query(`ALTER DATABASE ${database.name} SET search_path = sales, public`)
  return database
}

function insertSeven(prisma: object): Promise<unknown> {
  const single = Reflect.get(prisma, 'single') as { create(row: object): Promise<unknown> }
  return single.create({ data: { id: 7 } })
}

it.each([
  ['no schema anywhere', '', undefined],
  ['the schema of the adapter, which rowcast was not given', '', { schema: 'sales' }],
  ['the same schema twice', '?schema=sales', { schema: 'sales' }],
  ["Prisma's own default, named", '?schema=public', undefined],
])('with %s', async (_title, query, adapterOptions) => {
  const { catalog, PrismaClient: TypesClient } = await provideTypesClient()
  await using database = await openTwice()
  const connectionString = `${database.url}${query}`
  const prisma = new TypesClient({ adapter: new PrismaPg({ connectionString }, adapterOptions) })
  const rowcast = createRowcast({ connectionString, prisma, catalog, slot: slotOf(database) }).register(
    'Single',
  )
  try {
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const singles = rowcast.subscribe('Single')
    await insertSeven(prisma)
    expect((await singles.next()).value).toMatchObject({ action: 'INSERT', key: { id: 7 } })
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})

it('refuses an address whose schema the adapter does not read', async () => {
  const { catalog, PrismaClient: TypesClient } = await provideTypesClient()
  await using database = await openTwice()
  const connectionString = `${database.url}?schema=sales`
  const prisma = new TypesClient({ adapter: new PrismaPg({ connectionString }) })
  try {
    // Where it writes in spite of the address, and in spite of the search_path.
    await insertSeven(prisma)
    expect(await database.query('SELECT id FROM public.single_values')).toEqual([{ id: 7 }])
    expect(() => createRowcast({ connectionString, prisma, catalog })).toThrowError(
      /CONFIG_SCHEMA_MISMATCH.*"sales".*"public"/s,
    )
  } finally {
    await prisma.$disconnect()
  }
})

it('is no matter of models that all name their schema', () => {
  const connectionString = 'postgresql://ada@127.0.0.1/app?schema=sales'
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  expect(() => createRowcast({ connectionString, prisma, catalog: sample })).not.toThrow()
})
