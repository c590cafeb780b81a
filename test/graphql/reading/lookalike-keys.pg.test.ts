/** Keys that PostgreSQL calls equal though they are spelled otherwise: each gets what it gets alone. */
import { readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { delegateOf, type PrismaClientLike } from '../../../src/graphql/prisma-delegate.ts'
import { RelationBatches } from '../../../src/graphql/reading/relation-batches.ts'
import { openDatabase } from '../../support/database.ts'
import { provideTypesClient, TYPES_TABLES } from '../../support/types-schema/provide-types-client.ts'

/** What rows hold, and what is looked for: with spellings that no row has, and with those alone that rows have. */
const CASES: readonly (readonly [column: string, stored: readonly string[], keys: readonly string[]])[] = [
  ['citext', ['Ada', 'ADA', 'BOB', 'Straße'], ['ada', 'Ada', 'bob', 'nobody', 'straße', 'STRASSE']],
  ['citext', ['Ada', 'ADA', 'bob'], ['ada', 'Ada', 'ADA', 'bob', 'nobody']],
  ['char', ['x', 'y'], ['x', 'x  ', 'x       ', 'y       ', 'none']],
  ['char', ['x'], ['x', 'x       ', 'none']],
  ['text', ['Résumé', 'OTHER'], ['resume', 'résumé', 'other']],
  ['text', ['Résumé', 'other'], ['resume', 'Résumé', 'RESUME', 'other', 'none']],
  ['varchar', ['a', 'A'], ['a', 'a ', 'A', 'á']],
]

it('are read as one by one, whatever their type or collation', async () => {
  const { PrismaClient } = await provideTypesClient()
  await using database = await openDatabase()
  await database.query(await readFile(TYPES_TABLES, 'utf8'))
  await database.query(
    `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
  )
  await database.query('ALTER TABLE single_values ALTER "text" TYPE text COLLATE loose')
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url }),
  }) as PrismaClientLike & {
    $disconnect(): Promise<void>
  }
  const delegate = delegateOf(prisma, 'Single')
  for (const [column, stored, keys] of CASES) {
    await database.query('TRUNCATE single_values')
    for (const [id, value] of [...stored, ...stored.slice(0, 1)].entries()) {
      await database.query(`INSERT INTO single_values (id, "${column}") VALUES ($1, $2)`, [id, value])
    }
    const query = { select: { id: true }, orderBy: { id: 'asc' } }
    const alone = (value: string) => delegate.findMany({ ...query, where: { [column]: value } })
    const counted = (value: string) => delegate.count({ where: { [column]: value } })
    const batches = new RelationBatches()
    const lists = keys.map((value) =>
      batches.read({
        delegate,
        query,
        kind: 'list',
        key: { [column]: value },
        readAlone: () => alone(value),
      }),
    )
    const counts = keys.map((value) =>
      batches.read({
        delegate,
        query: {},
        kind: 'count',
        key: { [column]: value },
        readAlone: () => counted(value),
      }),
    )
    expect(await Promise.all(lists), column).toEqual(await Promise.all(keys.map(alone)))
    expect(await Promise.all(counts), column).toEqual(await Promise.all(keys.map(counted)))
  }
  await prisma.$disconnect()
})
