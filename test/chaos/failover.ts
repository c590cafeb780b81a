/**
 * A failover while the old primary lives on: it still takes writes, whoever reads it still gets them, and they exist nowhere.
 * Who got one must query again; who goes on reading there must not be heard any more.
 */
import pg from 'pg'
import type { PostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { withGap } from './gap-faults.ts'
import { CHAOS_MODEL_NAMES, type ChaosModel, formatToken, type Ledger } from './ledger.ts'
import type { WorldBase } from './stage.ts'
import { insert } from './transaction-plan.ts'

/** Its name in reports. */
export const FAILOVER = 'a failover, and the old primary lives on'
const TIMEOUT_MS = 60_000
const STRAY_PAUSE_MS = 50

/**
 * Nothing of the ledger is written meanwhile. `lead` leads to the new primary those who are to find it; what it returns is called
 * when all have queried again.
 */
export async function failOver(world: WorldBase, lead: (port: number) => Promise<() => void>): Promise<void> {
  const { site, ledger, subscribers } = world
  await world.decode()
  let end = async (): Promise<void> => {}
  await withGap(world, { name: FAILOVER, models: CHAOS_MODEL_NAMES, isCertain: true }, async () => {
    const old = await StrayWriter.open(await site.failOver(), site.target.database, ledger)
    const numbers = await old.write()
    await Promise.all(subscribers.map(({ model, log }) => log.whenSeen(numbers.get(model) ?? 0, TIMEOUT_MS)))
    old.start()
    const leadOn = await lead(site.cluster.port)
    end = async () => {
      await old.end()
      leadOn()
    }
  }).finally(() => end())
}

/** Writes to a primary that was taken over from. */
class StrayWriter {
  readonly #client: pg.Client
  readonly #ledger: Ledger
  readonly #authorId: string
  #writing: Promise<unknown> = Promise.resolve()
  #timer: ReturnType<typeof setInterval> | null = null

  private constructor(client: pg.Client, ledger: Ledger, authorId: string) {
    this.#client = client
    this.#ledger = ledger
    this.#authorId = authorId
  }

  static async open(old: PostgresCluster, database: string, ledger: Ledger): Promise<StrayWriter> {
    const client = new pg.Client({ connectionString: old.connectionString(database) })
    await client.connect()
    const { rows } = await client.query<{ id: string }>('SELECT id FROM users')
    return new StrayWriter(client, ledger, rows[0]?.id ?? '')
  }

  /** One row of each model, in one transaction. @returns their numbers */
  async write(): Promise<ReadonlyMap<ChaosModel, number>> {
    const numbers = new Map(CHAOS_MODEL_NAMES.map((model) => [model, this.#ledger.nextNumber()]))
    await this.#client.query('BEGIN')
    for (const [model, number] of numbers) {
      this.#ledger.strays.add(formatToken(null, number))
      await insert(this.#client, model, number, this.#authorId)
    }
    await this.#client.query('COMMIT')
    return numbers
  }

  /** Goes on until `end()`. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#writing = this.#writing.then(() => this.write())
    }, STRAY_PAUSE_MS)
  }

  async end(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#writing
    await this.#client.end()
  }
}
