/** money by the database's own currency, whole path: rows and filters are Prisma Client's, in both forms and through Redis. */
import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import type { ModelCatalog } from '../src/catalog/model-catalog.ts'
import { Decimal } from '../src/catalog/prisma-runtime.ts'
import { createRowcast, type RowcastOptions } from '../src/rowcast.ts'
import { untilLooking } from './cli/look-slots.ts'
import { openCliFolder } from './cli/run-cli.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { slotOf } from './support/live-rowcast.ts'
import { openPrismaRows, type PrismaConstructor } from './support/prisma-rows.ts'
import { NO_REDIS, openRedis } from './support/redis.ts'
import {
  provideTypesClient,
  TYPES_CATALOG,
  TYPES_TABLES,
} from './support/types-schema/provide-types-client.ts'

/** A locale, what the server makes of 1234.5678 in it, and units of its currency. */
const CURRENCIES = [
  ['C', '1234.57'],
  ['ja_JP.UTF-8', '1235'],
  ['ar_KW.UTF-8', '1234.568'],
] as const

async function openTypes(locale: string): Promise<TestDatabase | null> {
  const database = await openDatabase()
  try {
    await database.query(`ALTER DATABASE ${database.name} SET lc_monetary = '${locale}'`)
    // The test's own session has begun before it.
    await database.query(`SET lc_monetary = '${locale}'`)
    await database.query(await readFile(TYPES_TABLES, 'utf8'))
    return database
  } catch (error) {
    await database[Symbol.asyncDispose]()
    if ((error as { code?: string }).code !== '22023') throw error
    process.stdout.write(`Skipped: the server has no locale ${locale}; localedef -i … makes it.\n`)
    return null
  }
}

type AnyChanges = AsyncIterableIterator<{ readonly new: Readonly<Record<string, unknown>> | null }>

describe.each(CURRENCIES)('in the locale %s', (locale, shown) => {
  it.each(['binary', 'text', 'redis'] as const)(
    'rows and filters are those of Prisma Client: %s',
    async (form) => {
      if (form === 'redis' && NO_REDIS !== null) return
      const database = await openTypes(locale)
      if (database === null) return
      await using _database = database
      await using redis = form === 'redis' ? await openRedis() : null
      const { catalog, PrismaClient } = await provideTypesClient()
      const Client = PrismaClient as new (options: { adapter: PrismaPg }) => { $disconnect(): Promise<void> }
      const prisma = new Client({ adapter: new PrismaPg({ connectionString: database.url }) })
      const start = (options: Partial<RowcastOptions<never>>) => {
        const rowcast = createRowcast({
          ...{
            prisma: prisma as never,
            catalog: catalog as ModelCatalog<never>,
            slot: `slot_${database.name}`,
          },
          ...(redis === null ? {} : { broker: redis.url }),
          ...(options as object),
        })
        rowcast.register('Single' as never)
        rowcast.register('Listing' as never)
        rowcast.start()
        return rowcast
      }
      const tap = start({
        binary: form !== 'text',
        enableOnStart: true,
        role: redis === null ? 'all' : 'tap',
      })
      const gateway = redis === null ? tap : start({ role: 'gateway' })
      // The first filter is parsed before anything is known of the currency.
      const subscribe = (model: string, options: object = {}) =>
        gateway.subscribe(model as never, options as never) as unknown as AnyChanges
      const equal = subscribe('Single', { where: { money: { equals: '1234.5678' } } })
      const greater = subscribe('Single', { new: { money: { gte: '1234.5678', lt: 5000 } } })
      const lists = subscribe('Listing')
      await gateway.ready()
      await database.query(
        'INSERT INTO single_values (id, money) VALUES (1, 0), (2, 1234.5678), (3, -9), (4, 77777)',
      )
      await database.query('INSERT INTO list_values (id, money) VALUES (1, ARRAY[1234.5678, -1]::money[])')
      await using oracle = openPrismaRows(PrismaClient as PrismaConstructor, database.url)
      for (const changes of [equal, greater]) {
        const { value } = await changes.next()
        const model = catalog.models['Single']
        if (model === undefined) throw new Error('There is no model.')
        const expected = await oracle.find(model, { id: 2 }, ['id', 'money'])
        expect({ id: value.new?.['id'], money: value.new?.['money'] }).toEqual(expected)
        expect(value.new?.['money']).toEqual(new Decimal(shown))
        await changes.return?.()
      }
      const { value } = await lists.next()
      expect(value.new?.['money']).toEqual([new Decimal(shown), new Decimal(-1)])
      await gateway.stop()
      await tap.stop()
      await prisma.$disconnect()
    },
  )
})

it('tail, record and a replay on another machine count it the same, filters included', async () => {
  for (const [locale, shown] of CURRENCIES.slice(1)) {
    const database = await openTypes(locale)
    if (database === null) continue
    await using _database = database
    await provideTypesClient()
    const env = {
      DATABASE_URL: database.url,
      ROWCAST_SLOT: slotOf(database),
      ROWCAST_PUBLICATION: 'rowcast',
    }
    await using folder = await openCliFolder(
      env,
      `models: { Single: {} }, catalog: (await import('${pathToFileURL(TYPES_CATALOG).href}')).catalog`,
    )
    expect(await folder.run(['enable'])).toMatchObject({ code: 0 })
    const recorder = folder.start(['record', 'money.rec'])
    await recorder.said('Recording')
    const where = ['Single', '--json', '--limit', '1', '--where', '{"money": {"equals": "1234.5678"}}']
    const tail = folder.start(['tail', ...where])
    await untilLooking(database, 2)
    await database.query('INSERT INTO single_values (id, money) VALUES (1, 0), (2, 1234.5678)')
    const reported = await tail.nextLine()
    expect(JSON.parse(reported)).toMatchObject({ new: { id: 2, money: new Decimal(shown).toString() } })
    expect((await tail.ended).code).toBe(0)
    expect((await recorder.stop()).code).toBe(0)
    // Nobody can be asked there.
    const replayed = await folder.run(['replay', 'money.rec', ...where], { DATABASE_URL: '' })
    expect(replayed).toMatchObject({ code: 0, stdout: `${reported}\n` })
  }
})
