/** Everything a run is made of: PostgreSQL, rowcast behind proxies, writers and subscribers; all of it goes at the end. */
import { fileURLToPath } from 'node:url'
import { applyMigrations } from '../../src/embedded/migrations.ts'
import type { PostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { type SqlClient, withSqlClient } from '../../src/source/sql.ts'
import { openPostgres } from '../support/postgres.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { CHAOS_MODELS, type ChaosModel, Ledger } from './ledger.ts'
import { createLedgerWriter, LEDGER_TABLE_SQL, type LedgerWriter } from './ledger-writer.ts'
import type { Random } from './random.ts'
import { createServedRowcast, type ServedRowcast } from './served-rowcast.ts'
import {
  type ChaosSubscriber,
  fetchChangeCursor,
  openSseSubscriber,
  openWebSocketSubscriber,
  type SubscriberOptions,
} from './subscriber.ts'

/** The slot of all rowcasts of a run: they take turns. */
export const SLOT = 'rowcast'
const DATABASE = 'chaos'
const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** What a run works with. */
export interface World extends AsyncDisposable {
  readonly cluster: PostgresCluster
  readonly ledger: Ledger
  readonly writer: LedgerWriter
  readonly subscribers: readonly ChaosSubscriber[]
  /** Between the clients and whichever rowcast serves them. */
  readonly clientProxy: TcpProxy
  /** The rowcast that clients reach. */
  readonly serving: ServedRowcast
  /** Makes another one; it does not run yet. */
  prepareSecond(): Promise<ServedRowcast>
  /** Lets clients reach that one from now on; the one before is for the caller to end. */
  serveWith(rowcast: ServedRowcast): void
  /** A subscriber that comes later, and wants everything from the start. */
  addLatecomer(): void
  query<Row extends object>(text: string, parameters?: readonly unknown[]): Promise<readonly Row[]>
  /** Commits one change for each model, and waits until every subscriber has it. */
  awaitProgress(timeoutMs: number): Promise<void>
}

/** How a run is made. */
export interface WorldOptions {
  readonly random: Random
  readonly pauseMaxMs: number
  /** Aborted when the run has failed: nothing is waited for any longer. */
  readonly signal: AbortSignal
  /** Something happened that no fault explains: the run fails. */
  readonly onTrouble: (words: string) => void
}

/** Starts everything but the writers. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const closing: AsyncDisposable[] = []
  const close = async () => {
    for (const part of closing.splice(0).reverse()) {
      // One that cannot be closed must not keep the others open.
      try {
        await part[Symbol.asyncDispose]()
      } catch (error) {
        options.onTrouble(`Closing failed: ${String(error)}`)
      }
    }
  }
  try {
    return await buildWorld(options, closing, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function buildWorld(
  { random, pauseMaxMs, signal, onTrouble }: WorldOptions,
  closing: AsyncDisposable[],
  close: () => Promise<void>,
): Promise<World> {
  const postgres = await openPostgres({ settings: { wal_sender_timeout: '10s', max_connections: 60 } })
  closing.push(postgres)
  const { cluster } = postgres
  await cluster.createDatabase(DATABASE)
  const target = cluster.target(DATABASE)
  const databaseUrl = cluster.connectionString(DATABASE)
  await applyMigrations({ target, folder: MIGRATIONS_FOLDER })
  const authorId = await withSqlClient(target, prepareTables)

  const ledger = new Ledger()
  const writer = createLedgerWriter({
    ...{ connectionString: databaseUrl, ledger, random: random.fork(), authorId, pauseMaxMs },
    lanes: 3,
  })
  let served = 0
  const createServed = async () => {
    signal.throwIfAborted()
    served += 1
    const rowcast = await createServedRowcast({ name: `rowcast ${served}`, databaseUrl, onCrash: onTrouble })
    closing.push(rowcast)
    return rowcast
  }
  let serving = await createServed()
  const clientProxy = await openTcpProxy(serving.port, {
    intercept: (bytes, flow) => serving.trap.clientBytes(bytes, flow),
  })
  closing.push(clientProxy)
  await serving.start()
  const url = `http://127.0.0.1:${clientProxy.port}`
  const after = await fetchChangeCursor(url, () => !signal.aborted)
  const subscribers: ChaosSubscriber[] = []

  async function checkRows(model: ChaosModel): Promise<void> {
    const { table, column } = CHAOS_MODELS[model]
    const rows = await withSqlClient(target, (sql) =>
      sql.query<{ mark: string }>(`SELECT ${column} AS mark FROM ${table}`),
    )
    const expected = ledger.rowsOf(model)
    const isSame = rows.length === expected.size && rows.every(({ mark }) => expected.has(Number(mark)))
    if (!isSame) onTrouble(`${model} has ${rows.length} rows, the ledger ${expected.size}, or others.`)
  }

  function subscriberOptions(name: string, model: ChaosModel): SubscriberOptions {
    return {
      ...{ name, model, url, after, random: random.fork(), onResync: checkRows },
      onUnexpectedEnd: (error) => onTrouble(`${name} was ended: ${String(error)}`),
    }
  }

  const add = (subscriber: ChaosSubscriber) => {
    subscribers.push(subscriber)
    closing.push({ [Symbol.asyncDispose]: () => subscriber.stop() })
  }
  add(openWebSocketSubscriber(subscriberOptions('ws Tag', 'Tag')))
  add(openWebSocketSubscriber(subscriberOptions('ws Team', 'Team')))
  add(openWebSocketSubscriber(subscriberOptions('ws Post', 'Post')))
  add(openWebSocketSubscriber({ ...subscriberOptions('restless ws Post', 'Post'), isRestless: true }))
  add(openSseSubscriber(subscriberOptions('sse Team', 'Team')))
  add(openSseSubscriber(subscriberOptions('sse Tag', 'Tag')))

  return {
    ...{ cluster, ledger, writer, subscribers, clientProxy },
    get serving() {
      return serving
    },
    prepareSecond: createServed,
    serveWith(rowcast) {
      serving = rowcast
      clientProxy.retarget(rowcast.port)
      clientProxy.cut()
    },
    addLatecomer() {
      add(openWebSocketSubscriber(subscriberOptions('late ws Team', 'Team')))
    },
    query: (text, parameters) => withSqlClient(target, (sql) => sql.query(text, parameters)),
    async awaitProgress(timeoutMs) {
      const numbers = await writer.probe()
      await Promise.all(
        subscribers.map(({ name, model, log }) =>
          log.whenSeen(numbers.get(model) ?? 0, timeoutMs).catch((error: unknown) => {
            throw new Error(`${name} is stuck: ${error instanceof Error ? error.message : String(error)}`)
          }),
        ),
      )
    },
    async [Symbol.asyncDispose]() {
      await writer.stop().catch((error: unknown) => onTrouble(`The writers failed: ${String(error)}`))
      await close()
    },
  }
}

async function prepareTables(sql: SqlClient): Promise<string> {
  await sql.execute(LEDGER_TABLE_SQL)
  const [user] = await sql.query<{ id: string }>(
    `INSERT INTO users (email) VALUES ('chaos@example.com') RETURNING id`,
  )
  return user?.id ?? ''
}
