/**
 * Subscriptions that follow relations, in one process: what the oracle says of them. `ROWCAST_TEST_WORLDS=2000` is the long form: each world has
 * writers and subscribers of its own, from `ROWCAST_TEST_SEED` on. In every other one rows cascade; in one of three, reads are now and then late, and fail.
 */
import { afterAll, expect, it } from 'vitest'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { playRelatedWorld, registerRelated } from '../support/related-oracle.ts'
import { createRelatedTables, emptyRelatedTables, PAIRS_SCHEMA } from '../support/related-tables.ts'
import { provideRelationProject } from '../support/relation-schema.ts'
import { type Unsteadiness, unsteady } from '../support/unsteady-reads.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 3)
const WORLDS = Number(process.env['ROWCAST_TEST_WORLDS'] ?? 4)
const TRANSACTIONS_EACH = Number(process.env['ROWCAST_TEST_TRANSACTIONS'] ?? 25)
const SUBSCRIBERS = Number(process.env['ROWCAST_TEST_SUBSCRIBERS'] ?? 6)
const STEADY: Unsteadiness = { late: 0, failing: 0 }
const UNSTEADY: Unsteadiness = { late: 0.2, failing: 0.02 }

/** A database and the process that follows it, for one world after the other. */
async function openSite(cascades: boolean) {
  const project = await provideRelationProject('relations-paired', { hasMarks: true, more: PAIRS_SCHEMA })
  const { catalog } = project
  const database = await openDatabase()
  await createRelatedTables(database, { catalog, cascades })
  const prisma = project.createPrisma(database.url)
  const reads = unsteady(prisma, new Dice(SEED))
  const rowcast: Rowcast = createRowcast({
    ...{ prisma: reads.client, catalog, url: database.url, slot: slotOf(database) },
  } as never)
  registerRelated(rowcast, catalog)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  return {
    ...{ database, catalog, rowcast, reads },
    async end() {
      await rowcast.stop()
      await prisma.$disconnect()
      await database[Symbol.asyncDispose]()
    },
  }
}

const sites = new Map<boolean, ReturnType<typeof openSite>>()
afterAll(async () => {
  for (const site of sites.values()) await (await site).end()
})

async function play(seed: number) {
  const cascades = seed % 2 === 1
  const known = sites.get(cascades) ?? openSite(cascades)
  sites.set(cascades, known)
  const { database, catalog, rowcast, reads } = await known
  await emptyRelatedTables(database, catalog)
  const failedBefore = reads.counts.failed
  reads.become(seed % 3 === 0 ? UNSTEADY : STEADY)
  const found = await playRelatedWorld({
    ...{ database, catalog, seed, ledger: rowcast, reader: () => rowcast },
    ...{ transactions: TRANSACTIONS_EACH, subscribers: SUBSCRIBERS },
  })
  reads.become(STEADY)
  return { ...found, failed: reads.counts.failed - failedBefore }
}

it('have what a search finds after every transaction', { timeout: 120_000 + 20_000 * WORLDS }, async () => {
  const total = { moved: 0, compared: 0, ended: 0, failed: 0 }
  for (let seed = SEED; seed < SEED + WORLDS; seed += 1) {
    const found = await play(seed).catch((error: unknown) => {
      throw new Error(`World ${seed}`, { cause: error })
    })
    for (const name of ['moved', 'compared', 'ended', 'failed'] as const) total[name] += found[name]
  }
  process.stdout.write(
    `Related subscriptions, ${WORLDS} worlds from seed ${SEED}: ${JSON.stringify(total)}\n`,
  )
  expect(total.moved).toBeGreaterThan(0)
  expect(total.compared).toBeGreaterThan(0)
})
