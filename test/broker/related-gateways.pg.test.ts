/**
 * Subscriptions that follow relations, with first rows and policies, at two gateways behind a tap and Redis: what the oracle says of them while one
 * gateway stops and another begins, and while another tap takes over. Who comes again does so at either gateway.
 */
import { describe, expect, it } from 'vitest'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { playRelatedWorld, registerRelated } from '../support/related-oracle.ts'
import { createRelatedTables, PAIRS_SCHEMA } from '../support/related-tables.ts'
import { provideRelationProject } from '../support/relation-schema.ts'
import { until } from '../support/tags.ts'

type Project = Awaited<ReturnType<typeof provideRelationProject>>

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 5)
const TRANSACTIONS_EACH = Number(process.env['ROWCAST_TEST_TRANSACTIONS'] ?? 20)
const SUBSCRIBERS = Number(process.env['ROWCAST_TEST_SUBSCRIBERS'] ?? 8)

/** Processes with one Redis; all of them end with it. */
class Fleet implements AsyncDisposable {
  readonly #all: { readonly rowcast: Rowcast; readonly prisma: { $disconnect(): Promise<void> } }[] = []
  readonly #database: TestDatabase
  readonly #project: Project
  readonly #broker: string

  constructor(database: TestDatabase, project: Project, broker: string) {
    this.#database = database
    this.#project = project
    this.#broker = broker
  }

  start(role: 'tap' | 'gateway'): Rowcast {
    const prisma = this.#project.createPrisma(this.#database.url)
    const { catalog } = this.#project
    const rowcast: Rowcast = createRowcast({
      ...{ prisma, catalog, url: this.#database.url, slot: slotOf(this.#database), role },
      ...{ broker: this.#broker, enableOnStart: role === 'tap' },
    } as never)
    registerRelated(rowcast, catalog)
    rowcast.start()
    this.#all.push({ rowcast, prisma })
    return rowcast
  }

  async [Symbol.asyncDispose]() {
    for (const { rowcast, prisma } of this.#all) {
      await rowcast.stop()
      await prisma.$disconnect()
    }
  }
}

describe.skipIf(NO_REDIS !== null)('subscriptions that follow relations, at gateways', () => {
  it('have what a search finds after every transaction, whoever stops', { timeout: 120_000 }, async () => {
    const project = await provideRelationProject('relations-paired', { hasMarks: true, more: PAIRS_SCHEMA })
    await using database = await openDatabase()
    await createRelatedTables(database, { catalog: project.catalog, cascades: SEED % 2 === 1 })
    await using redis = await openRedis()
    await using fleet = new Fleet(database, project, redis.url)
    const taps = [fleet.start('tap'), fleet.start('tap')]
    const gateways = [fleet.start('gateway'), fleet.start('gateway')]
    await Promise.all(gateways.map((gateway) => gateway.ready()))
    const isActive = (tap: Rowcast) => tap.status().broker?.isActive === true
    await until(() => taps.some(isActive))
    const dice = new Dice(SEED)
    const faults: Promise<void>[] = []
    const restart = async () => {
      const stopped = gateways[1]
      gateways[1] = fleet.start('gateway')
      await gateways[1].ready()
      await stopped?.stop()
    }
    const due: [number, () => Promise<void>][] = [
      [0.3, restart],
      [0.6, async () => taps.find(isActive)?.stop()],
    ]
    const found = await playRelatedWorld({
      ...{ database, catalog: project.catalog, seed: SEED, ledger: gateways[0] as Rowcast },
      reader: () => dice.pick(gateways),
      ...{ transactions: TRANSACTIONS_EACH, subscribers: SUBSCRIBERS },
      onWritten(share) {
        for (let next = due[0]; next !== undefined && share >= next[0]; next = due[0]) {
          due.shift()
          faults.push(next[1]())
        }
      },
    })
    await Promise.all(faults)
    expect(due).toEqual([])
    expect(found.compared).toBeGreaterThan(0)
  })
})
