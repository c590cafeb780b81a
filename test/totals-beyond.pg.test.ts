/** Totals of numbers beyond what JavaScript's have exactly: each digit is PostgreSQL's. */
import { readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { catalog as sample } from '../prisma/generated/rowcast.ts'
import type { ModelCatalog } from '../src/catalog/model-catalog.ts'
import { canonicalText } from '../src/catalog/values/canonical-text.ts'
import { createRowcast } from '../src/rowcast.ts'
import { hasExtremes, isSummed } from '../src/sets/total-fields.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { openLiveRowcast, slotOf } from './support/live-rowcast.ts'
import { provideTypesClient, TYPES_TABLES } from './support/types-schema/provide-types-client.ts'

interface Totals {
  readonly count: number
  readonly sum: Readonly<Record<string, unknown>>
  readonly min: Readonly<Record<string, unknown>>
  readonly max: Readonly<Record<string, unknown>>
}
type Fields = Readonly<Record<string, string>>

/** What PostgreSQL says, as text. @param fields columns by field */
async function asked(database: TestDatabase, table: string, fields: Fields): Promise<string> {
  const parts = ['sum', 'min', 'max'].flatMap((of) =>
    Object.entries(fields).map(
      ([name, column]) => `trim_scale(${of}(${column})::numeric)::text AS "${of} ${name}"`,
    ),
  )
  const [row] = await database.query(`SELECT count(*)::int, ${parts.join(', ')} FROM ${table}`)
  return JSON.stringify(row)
}

/** The same of what totals show. */
function shownText({ count, ...parts }: Totals, fields: Fields): string {
  const entries = (['sum', 'min', 'max'] as const).flatMap((of) =>
    Object.keys(fields).map((name) => {
      const value = parts[of][name] as { toFixed?(): string } | bigint | null
      const text = value === null ? null : typeof value === 'bigint' ? String(value) : value.toFixed?.()
      return [`${of} ${name}`, text]
    }),
  )
  return JSON.stringify({ count, ...Object.fromEntries(entries) })
}

async function follow(
  totals: AsyncIterableIterator<Totals>,
  writes: readonly string[],
  { database, table, fields }: { database: TestDatabase; table: string; fields: Fields },
): Promise<void> {
  for (const write of ['SELECT 1', ...writes]) {
    await database.query(write)
    const wanted = await asked(database, table, fields)
    for (let shown = ''; shown !== wanted; ) {
      const { value } = await totals.next()
      shown = shownText(value, fields)
    }
  }
  await totals.return?.()
}

it('are exact of BigInt and of Decimal, beyond 2^53 and 2^63', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['User'] })
  expect(sample.models.User.table).toBe('users')
  const fields = { storageBytes: 'storage_bytes', balance: 'balance' } as const
  const names = ['storageBytes', 'balance'] as const
  const totals = live.rowcast.totals('User', { sum: names, min: names, max: names })
  const insert = (number: number, bytes: string, balance: string) =>
    `INSERT INTO users (email, storage_bytes, balance) VALUES ('u${number}@x', ${bytes}, ${balance})`
  const writes = [
    insert(1, '9007199254740993', '9999999999.99'),
    insert(2, '9007199254740992', '9999999999.98'),
    `UPDATE users SET storage_bytes = storage_bytes + 1 WHERE email = 'u2@x'`,
    insert(3, '9223372036854775807', '-9999999999.99'),
    insert(4, '9223372036854775807', '0.01'),
    insert(5, '-9223372036854775808', '-0.01'),
    `UPDATE users SET storage_bytes = storage_bytes - 1, balance = balance - 0.01 WHERE email = 'u4@x'`,
    `DELETE FROM users WHERE email = 'u5@x'`,
    `DELETE FROM users WHERE email IN ('u3@x', 'u1@x')`,
    'DELETE FROM users',
  ]
  await follow(totals as never, writes, { database, table: 'users', fields })
})

/** Of each type that has totals, a value that is large, or written in a way of its own. */
const VALUES: Readonly<Record<string, string>> = {
  ...{ text: 'Ä b', varchar: '1,000', char: 'ab', citext: 'Ä', inet: '10.0.0.1', mood: '' },
  ...{ int2: '-32768', int4: '2147483647', oid: '4294967295', int8: '9223372036854775807' },
  ...{ float4: '3.25', float8: '1.7976931348623157e308' },
  ...{ scaled: '9999999999.99', numeric: '-12345678901234567890.123456789' },
  ...{ timestamp0: '2020-01-02 03:04:05', timestamp3: '2020-01-02 03:04:05.678' },
  ...{ timestamp6: '2020-01-02 03:04:05.678', timestamptz0: '2020-01-02 03:04:05+09' },
  ...{ timestamptz3: '2020-01-02 03:04:05.678+09', timestamptz6: '0044-03-15 12:00:00+00' },
  ...{ date: '9999-12-31', time: '23:59:59.123' },
}

it('of one row are its values, of each type that has them; of money and times with a zone they are refused', async () => {
  await using database = await openDatabase()
  await database.query(await readFile(TYPES_TABLES, 'utf8'))
  const { catalog, PrismaClient } = await provideTypesClient()
  const Client = PrismaClient as new (options: {
    adapter: PrismaPg
  }) => {
    $disconnect(): Promise<void>
    single: { findMany(query: object): Promise<readonly Readonly<Record<string, unknown>>[]> }
  }
  const prisma = new Client({ adapter: new PrismaPg({ connectionString: database.url }) })
  const rowcast = createRowcast({
    ...{ prisma: prisma as never, catalog: catalog as ModelCatalog<never>, slot: slotOf(database) },
    enableOnStart: true,
  })
  rowcast.register('Single' as never)
  rowcast.start()
  await rowcast.ready()
  const model = catalog.models['Single']
  const open = rowcast.totals as (...asked: unknown[]) => AsyncIterableIterator<Totals>
  const fields = (model?.fields ?? []).filter(
    (field) => !['id', 'timetz'].includes(field.name) && hasExtremes(field),
  )
  const [label] = Object.values(catalog.enums)[0]?.values ?? []
  const columns = fields.map(({ column }) => `"${column}"`).join()
  const values = fields.map(({ name }) => `'${name === 'mood' ? (label?.label ?? '') : VALUES[name]}'`).join()
  await database.query(`INSERT INTO single_values (id, ${columns}) VALUES (1, ${values})`)
  const [row] = await prisma.single.findMany({})
  for (const field of fields) {
    const { name } = field
    const sum = isSummed(field) ? [name] : []
    const totals = open('Single', { sum, min: [name], max: [name] })
    const { value } = await totals.next()
    await totals.return?.()
    const text = canonicalText(row?.[name])
    expect([name, canonicalText(value.min[name]), canonicalText(value.max[name])]).toEqual([name, text, text])
    if (sum.length > 0) expect([name, String(value.sum[name])]).toEqual([name, String(row?.[name])])
  }
  expect(fields.map(({ name }) => name).sort()).toEqual(Object.keys(VALUES).sort())
  const refused = (options: object) => expect(() => open('Single', options)).toThrow('BAD_FILTER')
  for (const of of ['sum', 'min', 'max']) refused({ [of]: ['money'] })
  refused({ min: ['timetz'] })
  await rowcast.stop()
  await prisma.$disconnect()
})
