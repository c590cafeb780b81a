/** Subscriptions that follow relations, in one process: what the oracle says of them. */
import { expect, it } from 'vitest'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { createRelatedTables, playRelatedWorld, registerRelated } from '../support/related-oracle.ts'
import { provideRelationProject } from '../support/relation-schema.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 3)
const TRANSACTIONS_EACH = Number(process.env['ROWCAST_TEST_TRANSACTIONS'] ?? 30)
const SUBSCRIBERS = Number(process.env['ROWCAST_TEST_SUBSCRIBERS'] ?? 6)

it('have what a search finds after every transaction', { timeout: 120_000 }, async () => {
  const project = await provideRelationProject('relations-followed', { hasMarks: true })
  const { catalog } = project
  await using database = await openDatabase()
  await createRelatedTables(database)
  const prisma = project.createPrisma(database.url)
  const rowcast: Rowcast = createRowcast({
    prisma,
    catalog,
    url: database.url,
    slot: slotOf(database),
  } as never)
  registerRelated(rowcast, catalog)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  try {
    const { moved } = await playRelatedWorld({
      ...{ database, catalog, seed: SEED, ledger: rowcast, reader: () => rowcast },
      ...{ transactions: TRANSACTIONS_EACH, subscribers: SUBSCRIBERS },
    })
    expect(moved).toBeGreaterThan(0)
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})
