/** Writes transactions of several rows over the models, several writers at once, and keeps the ledger true. */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import {
  CHAOS_MODEL_NAMES,
  type ChaosModel,
  type Ledger,
  type LedgerChange,
  type LedgerTransaction,
} from './ledger.ts'
import type { Random } from './random.ts'
import { applyTo, insert, planTransaction, type Write } from './transaction-plan.ts'

/** The table that says, whatever happened to the connection, which transactions committed. Not published. */
export const LEDGER_TABLE_SQL = 'CREATE TABLE chaos_ledger (id int PRIMARY KEY)'

/** What the writers need. */
export interface LedgerWriterOptions {
  readonly connectionString: string
  readonly ledger: Ledger
  readonly random: Random
  /** Whether some rows are of megabytes. */
  readonly hasHeavyRows: boolean
  /** Posts need an author. */
  readonly authorId: string
  /** Writers at once. */
  readonly lanes: number
  /** Another one that writes and pauses with these. */
  readonly beside: Pick<LedgerWriter, 'start' | 'pause' | 'resume' | 'stop'> | null
  /** Longest pause between two transactions of one writer. */
  readonly pauseMaxMs: number
}

/** The writers. */
export interface LedgerWriter {
  start(): void
  /** Resolves once no transaction is open. Nothing is written until `resume()`. */
  pause(): Promise<void>
  resume(): void
  stop(): Promise<void>
  /** Commits one INSERT for each model, whatever it takes; returns their numbers. */
  probe(): Promise<ReadonlyMap<ChaosModel, number>>
  /** One transaction of so many rows. */
  writeHuge(rows: number): Promise<LedgerTransaction>
  /** How many ALTER TABLEs have been committed. */
  readonly ddlCount: number
  readonly hugestTransaction: number
}

type WriteOutcome = LedgerTransaction | null

/** Creates the writers; they connect to PostgreSQL directly, as often as it takes. */
export function createLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  const { ledger, random, beside } = options
  const lanes = Array.from({ length: options.lanes }, (_, lane) => createLane(lane, options))
  /** What the suite itself orders: a lane of its own. */
  const orders = createLane(options.lanes, options)
  let resumed = Promise.resolve()
  let resume = () => {}
  let isPaused = false
  let isStopping = false
  let loops: readonly Promise<void>[] = []
  let ddlCount = 0
  let hugestTransaction = 0
  const busy = new Set<Promise<unknown>>()

  async function run(lane: Lane, choices: Random): Promise<void> {
    const rows = new Map<ChaosModel, number[]>(CHAOS_MODEL_NAMES.map((model) => [model, []]))
    while (!isStopping) {
      while (isPaused) await resumed
      if (isStopping) break
      const plan = planTransaction(choices, rows, options)
      const writing = lane.write(plan.write)
      busy.add(writing)
      const outcome = await writing
      busy.delete(writing)
      if (outcome === null) ledger.rolledBack += 1
      else {
        applyTo(rows, outcome.changes)
        if (plan.hasDdl) ddlCount += 1
        hugestTransaction = Math.max(hugestTransaction, outcome.changes.length)
      }
      await delay(choices.integer(0, options.pauseMaxMs))
    }
    await lane.end()
  }

  async function order(write: Write): Promise<LedgerTransaction> {
    for (;;) {
      const outcome = await orders.write(write)
      if (outcome !== null) return outcome
    }
  }

  const insertEach: Write = async (client, add) => {
    for (const model of CHAOS_MODEL_NAMES) {
      const after = ledger.nextNumber()
      await insert(client, model, after, options.authorId)
      add({ model, before: null, after })
    }
    return 'commit'
  }

  return {
    start() {
      loops = lanes.map((lane) => run(lane, random.fork()))
      beside?.start()
    },
    async pause() {
      // Whoever waits already is woken by the same `resume()`.
      if (!isPaused)
        resumed = new Promise((resolve) => {
          resume = resolve
        })
      isPaused = true
      await Promise.all([...busy, beside?.pause()])
    },
    resume() {
      isPaused = false
      resume()
      beside?.resume()
    },
    async stop() {
      isStopping = true
      isPaused = false
      resume()
      await Promise.all([...loops, beside?.stop()])
      await orders.end()
    },
    async probe() {
      const { changes } = await order(insertEach)
      return new Map(changes.map(({ model, after }) => [model, after ?? 0]))
    },
    async writeHuge(count) {
      const transaction = await order(async (client, add) => {
        const first = ledger.nextNumbers(count)
        await client.query(
          `INSERT INTO "Tag" (id, name) SELECT n, n::text FROM generate_series($1::int, $2::int) n`,
          [first, first + count - 1],
        )
        for (let after = first; after < first + count; after += 1) add({ model: 'Tag', before: null, after })
        return 'commit'
      })
      hugestTransaction = Math.max(hugestTransaction, transaction.changes.length)
      return transaction
    },
    get ddlCount() {
      return ddlCount
    },
    get hugestTransaction() {
      return hugestTransaction
    },
  }
}

/** One writer: one transaction at a time, each either known to have committed or known not to have. */
interface Lane {
  write(write: Write): Promise<WriteOutcome>
  end(): Promise<void>
}

function createLane(lane: number, { connectionString, ledger }: LedgerWriterOptions): Lane {
  let current: pg.Client | null = null

  async function connect(): Promise<pg.Client> {
    for (;;) {
      const client = new pg.Client({ connectionString, application_name: `chaos writer ${lane}` })
      client.on('error', () => {})
      try {
        await client.connect()
        return client
      } catch {
        await client.end().catch(() => {})
        await delay(50)
      }
    }
  }

  /**
   * Asks the ledger table, through as many failures as there are. The server may still be committing for the connection that
   * was lost: an INSERT of the same id waits for it, a SELECT would not see it.
   */
  async function hasCommitted(id: number): Promise<boolean> {
    for (;;) {
      const client = await connect()
      try {
        await client.query('BEGIN')
        const { rowCount } = await client.query(
          'INSERT INTO chaos_ledger (id) VALUES ($1) ON CONFLICT DO NOTHING',
          [id],
        )
        await client.query('ROLLBACK')
        current = client
        return rowCount === 0
      } catch {
        await client.end().catch(() => {})
      }
    }
  }

  return {
    async write(write) {
      const id = ledger.nextTransactionId()
      const changes: LedgerChange[] = []
      const committed = () => {
        const transaction = { id, lane, changes }
        ledger.commit(transaction)
        return transaction
      }
      current ??= await connect()
      const client = current
      try {
        await client.query('BEGIN')
        await client.query('INSERT INTO chaos_ledger (id) VALUES ($1)', [id])
        const end = await write(client, (change) => changes.push(change))
        await client.query(end === 'commit' ? 'COMMIT' : 'ROLLBACK')
        return end === 'commit' ? committed() : null
      } catch (error) {
        // Refused, and the session lives: a deadlock, a lock that was not to be had.
        if (await hasRolledBack(client)) {
          if (!isPassing(error)) throw error
          return null
        }
        current = null
        await client.end().catch(() => {})
        const isCommitted = await hasCommitted(id)
        if (isCommitted) ledger.doubtfulCommitted += 1
        else ledger.doubtfulRolledBack += 1
        return isCommitted ? committed() : null
      }
    },
    async end() {
      await current?.end().catch(() => {})
      current = null
    },
  }
}

async function hasRolledBack(client: pg.Client): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  )
}

/** Deadlock, lock not available; a table that was replaced, or a column that was dropped, while the statement waited for it. */
const PASSING: ReadonlySet<string | undefined> = new Set(['40P01', '55P03', '42P01', '42703', 'XX000'])

function isPassing(error: unknown): boolean {
  return error instanceof pg.DatabaseError && PASSING.has(error.code)
}
