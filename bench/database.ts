/** The PostgreSQL of the benchmarks, and databases on it with a table of orders, a publication and slots. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createPostgresCluster, type PostgresCluster } from '../src/embedded/postgres-cluster.ts'
import { createSetupGoal, type SetupGoal } from '../src/source/setup/setup-goal.ts'
import { readBaseline, writeBaseline } from '../src/source/setup/write-baseline.ts'
import { ORDERS_CATALOG, ORDERS_SQL } from './orders.ts'

/** Name of the publication in every database of the benchmarks. */
export const PUBLICATION = 'rowcast'

/** A database. */
export interface BenchDatabase extends AsyncDisposable {
  readonly name: string
  readonly url: string
  /** Runs SQL on the benchmark's own session. */
  query<Row extends object>(sql: string): Promise<readonly Row[]>
  createSlot(slot: string): Promise<void>
  /** Runs `use` with a copy of a slot, which begins where the slot does, and drops the copy. */
  withSlotCopy<Result>(slot: string, use: (copy: string) => Promise<Result>): Promise<Result>
  dropSlot(slot: string): Promise<void>
  /** Where the WAL ends now. */
  currentLsn(): Promise<string>
}

/** A cluster in a temporary folder. */
export interface BenchPostgres extends AsyncDisposable {
  readonly cluster: PostgresCluster
  openDatabase(name: string): Promise<BenchDatabase>
}

/** Starts it. Nothing here is worth an fsync: what is measured is the way from the WAL on. */
export async function openPostgres(): Promise<BenchPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-bench-'))
  await chmod(folder, 0o755)
  try {
    const cluster = await createPostgresCluster({
      dataFolder: join(folder, 'data'),
      settings: { fsync: false, track_commit_timestamp: true, max_wal_size: '4GB', autovacuum: false },
    })
    return {
      cluster,
      openDatabase: (name) => openDatabase(cluster, name),
      async [Symbol.asyncDispose]() {
        await cluster.stop('immediate')
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Copies of one slot that are begun with it. */
const COPIES_MAX = 50

const copiesOf = (slot: string): readonly string[] =>
  Array.from({ length: COPIES_MAX }, (_, index) => `${slot}_copy_${index + 1}`)

function goalOf(slot: string): SetupGoal {
  const models = Object.values(ORDERS_CATALOG.models).map((spec) => ({ spec }))
  return createSetupGoal({
    catalog: ORDERS_CATALOG,
    models,
    schema: 'public',
    slot,
    publication: PUBLICATION,
  })
}

async function openDatabase(cluster: PostgresCluster, name: string): Promise<BenchDatabase> {
  await cluster.createDatabase(name)
  const url = cluster.connectionString(name)
  const client = new pg.Client({ connectionString: url })
  // A server that is stopped under a benchmark that failed must not hide what failed.
  client.on('error', () => {})
  await client.connect()
  await client.query(ORDERS_SQL)
  const query = async <Row extends object>(sql: string) => (await client.query<Row>(sql)).rows
  /** The server takes a moment to see that a reader is gone. */
  const dropSlot = async (slot: string) => {
    await query(
      `SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
       WHERE slot_name = '${slot}' AND active_pid IS NOT NULL`,
    )
    await query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${slot}'`,
    )
  }
  let copies = 0
  return {
    name,
    url,
    query,
    dropSlot,
    async createSlot(slot) {
      const before = await readBaseline(query, goalOf(slot))
      await query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
      // As rowcast itself begins a slot: a process that finds nothing there takes what was before it for a gap.
      for (const name of [slot, ...copiesOf(slot)]) await writeBaseline(query, goalOf(name), before)
    },
    async withSlotCopy(slot, use) {
      const copy = copiesOf(slot)[copies++]
      if (copy === undefined) throw new Error(`Slot ${slot} was copied ${COPIES_MAX} times.`)
      await query(`SELECT pg_copy_logical_replication_slot('${slot}', '${copy}')`)
      try {
        return await use(copy)
      } finally {
        await dropSlot(copy)
      }
    },
    async currentLsn() {
      const [row] = await query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
      return row?.lsn ?? ''
    },
    async [Symbol.asyncDispose]() {
      const slots = await query<{ slot: string }>(
        `SELECT slot_name AS slot FROM pg_replication_slots WHERE database = '${name}'`,
      )
      for (const { slot } of slots) await dropSlot(slot)
      await client.end()
    },
  }
}
