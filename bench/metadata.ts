/** What it costs an application that its writes say whose they are. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../prisma/generated/client/client.ts'
import { applyMigrations } from '../src/embedded/migrations.ts'
import { rowcastMetadata } from '../src/rowcast-metadata.ts'
import { parseConnectionTarget } from '../src/source/db/database-address.ts'
import { type Benchmark, RunBook } from './benchmark.ts'
import { ROOT } from './root.ts'

const SCENARIOS = [
  'a single create',
  'ten creates in $transaction([…])',
  'ten creates in $transaction(fn)',
] as const

export const metadata: Benchmark = {
  name: 'metadata',
  about: 'writes through a Prisma Client with rowcastMetadata, beside the same without',
  async run(context) {
    const book = new RunBook()
    await using database = await context.openDatabase('metadata')
    await database.query('DROP PUBLICATION rowcast')
    await database.query('DROP TABLE orders')
    await applyMigrations({
      ...{ target: parseConnectionTarget(database.url), folder: `${ROOT}/prisma/migrations` },
    })
    const plain = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url, max: 1 }) })
    const extended = plain.$extends(
      rowcastMetadata(() => ({ actor: 'user_1', mutationId: crypto.randomUUID() })),
    )
    const bare = plain.$extends({ name: 'nothing' })
    const count = context.size(500, 5)
    for (let round = 0; round < context.rounds; round += 1) {
      for (const [contender, client] of [
        ['without', bare as typeof extended],
        ['with', extended],
      ] as const) {
        const [single, list, callback] = SCENARIOS
        const create = (db: Pick<typeof extended, 'tag'>) =>
          db.tag.create({ data: { name: crypto.randomUUID() } })
        const measures: readonly (readonly [string, () => Promise<unknown>])[] = [
          [single, () => create(client)],
          [list, () => client.$transaction(Array.from({ length: 10 }, () => create(client)))],
          [
            callback,
            () =>
              client.$transaction(async (tx) => {
                for (let at = 0; at < 10; at += 1) await create(tx)
              }),
          ],
        ]
        for (const [scenario, write] of measures) {
          await write()
          const startedMs = performance.now()
          for (let done = 0; done < count; done += 1) await write()
          book.add(scenario, contender, { ms: (performance.now() - startedMs) / count })
        }
      }
    }
    await plain.$disconnect()
    return {
      runs: book.runs,
      ratios: SCENARIOS.map((scenario) => ({
        what: `${scenario}: time with metadata, of without`,
        value: book.median(scenario, 'with', 'ms') / book.median(scenario, 'without', 'ms'),
        target: null,
      })),
    }
  },
}
