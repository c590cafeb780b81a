/** What every run has, whatever serves it: a PostgreSQL with the ledger's tables, writers, and a crowd of subscribers. */
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { applyMigrations } from '../../src/embedded/migrations.ts'
import { type SqlClient, withSqlClient } from '../../src/source/db/sql.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Gap } from './gaps.ts'
import { CHAOS_MODEL_NAMES, CHAOS_MODELS, type ChaosModel, Ledger } from './ledger.ts'
import { createLedgerWriter, LEDGER_TABLE_SQL, type LedgerWriter } from './ledger-writer.ts'
import type { Random } from './random.ts'
import { type RowImage, snapshotSql } from './rows.ts'
import {
  DDL_TABLE,
  type DecodedTransaction,
  decodeAll,
  openSecondDecoder,
  type Query,
} from './second-decoder.ts'
import { SET_TABLES } from './set-views.ts'
import { createSetWriter, prepareSets, type SetWriter } from './set-writer.ts'
import type { ChaosSets } from './sets.ts'
import { openSite, type Site } from './site.ts'
import {
  type ChaosSubscriber,
  fetchChangeCursor,
  openSseSubscriber,
  openWebSocketSubscriber,
  type SubscriberOptions,
} from './subscriber.ts'

/** Partitions of Team; ids come back to the same one. */
const PARTITIONS = 3
/** Large texts are stored beside the row, uncompressed; Team has partitions; Tag can be replaced by another table. */
const PREPARE_TABLES_SQL = `
  CREATE TABLE ${DDL_TABLE} (at timestamptz DEFAULT clock_timestamp());
  ALTER TABLE "Post" ALTER COLUMN body SET STORAGE EXTERNAL;
  ALTER TABLE "Tag" ALTER COLUMN id DROP DEFAULT;
  DROP TABLE "Team" CASCADE;
  CREATE TABLE "Team" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(80) NOT NULL,
    slug varchar(40) NOT NULL,
    plan "Plan",
    "createdAt" timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
  ) PARTITION BY HASH (id);
  ${Array.from({ length: PARTITIONS }, (_, n) => `CREATE TABLE "Team_${n}" PARTITION OF "Team" FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${n});`).join('\n')}`
const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** How a run is made. */
export interface WorldOptions {
  readonly random: Random
  readonly pauseMaxMs: number
  /** What the slot keeps of what was accepted. @default 'everything' */
  readonly retain?: 'everything' | 'nothing' | undefined
  /** Whether sets of rows are followed that other rows decide about. @default false */
  readonly hasSets?: boolean | undefined
  /** Aborted when the run has failed: nothing is waited for any longer. */
  readonly signal: AbortSignal
  /** Something happened that no fault explains: the run fails. */
  readonly onTrouble: (words: string) => void
}

/** The database and those who write. */
export interface Stage {
  /** The primary of now. */
  readonly site: Site
  readonly ledger: Ledger
  readonly writer: LedgerWriter
  /** Pauses, and goes on, with the other one; null without sets. */
  readonly setWriter: SetWriter | null
  /** Those that the run needs published, as SQL names them. */
  readonly tables: readonly string[]
  query<Row extends object>(text: string, parameters?: readonly unknown[]): Promise<readonly Row[]>
  /** What the second decoder has read. */
  readonly decoded: readonly DecodedTransaction[]
  /** Reads on with it. */
  decode(): Promise<void>
  /** A model's rows, through as many failures of the database as there are. */
  queryRows(model: ChaosModel): Promise<readonly RowImage[]>
}

/** What every world has. */
export interface WorldBase
  extends AsyncDisposable,
    Pick<Stage, 'site' | 'ledger' | 'writer' | 'tables' | 'query' | 'queryRows' | 'decoded' | 'decode'> {
  /** What was done on purpose to what is published. */
  readonly gaps: Gap[]
  /** Between all that read a slot and PostgreSQL. */
  readonly databaseProxies: readonly TcpProxy[]
  /** Between all clients and what serves them. */
  readonly clientProxies: readonly TcpProxy[]
  /** Kills all that read or serve, and starts them again; null where the slot retains nothing for them. */
  readonly restartAll: (() => Promise<void>) | null
  readonly subscribers: readonly ChaosSubscriber[]
  readonly sets: ChaosSets | null
  /** A subscriber that comes later, and wants everything from the start. */
  addLatecomer(): void
  /** Commits one change for each model, and waits until every subscriber has it. */
  awaitProgress(timeoutMs: number): Promise<void>
  /** The latest log lines of what serves. */
  readonly lines: readonly string[]
}

/** Starts PostgreSQL and prepares it; everything that has to be closed is added to `closing`. */
export async function openStage(
  { random, pauseMaxMs, signal, retain, hasSets, onTrouble }: WorldOptions,
  closing: AsyncDisposable[],
): Promise<Stage> {
  const site = await openSite(closing)
  await applyMigrations({ target: site.target, folder: MIGRATIONS_FOLDER })
  const authorId = await withSqlClient(site.target, prepareTables)
  const ledger = new Ledger()
  const connectionString = site.writersUrl
  const choices = random.fork()
  const setWriter =
    hasSets === true
      ? createSetWriter({ connectionString, pauseMaxMs, onTrouble, random: random.fork() })
      : null
  const writer = createLedgerWriter({
    ...{ connectionString, ledger, random: choices, authorId, pauseMaxMs, beside: setWriter },
    lanes: 3,
    // Without a window of its own the log in memory is passed by a few of them, and whoever is away a moment resyncs.
    hasHeavyRows: retain !== 'nothing',
  })
  const query: Query = (text, parameters) => withSqlClient(site.target, (sql) => sql.query(text, parameters))
  await openSecondDecoder(query)
  if (setWriter !== null) await prepareSets(query)
  const decoded: DecodedTransaction[] = []
  return {
    ...{ site, ledger, writer, setWriter, query, decoded },
    tables: [
      ...CHAOS_MODEL_NAMES.map((model) => CHAOS_MODELS[model].table),
      ...(setWriter === null ? [] : SET_TABLES),
    ],
    async decode() {
      for (const each of await decodeAll(query))
        decoded.push({ ...each, endLsn: site.timelines.place(each.endLsn) })
    },
    async queryRows(model) {
      for (;;) {
        signal.throwIfAborted()
        try {
          return await query<RowImage>(snapshotSql(model))
        } catch {
          await delay(100)
        }
      }
    },
  }
}

/** Those who subscribe. */
export interface Crowd {
  readonly subscribers: readonly ChaosSubscriber[]
  addLatecomer(): void
  awaitProgress(timeoutMs: number): Promise<void>
}

/** Opens subscribers of every model over both transports, spread over the addresses. */
export async function openCrowd(
  { random, signal, onTrouble }: WorldOptions,
  stage: Stage,
  urls: readonly string[],
  closing: AsyncDisposable[],
): Promise<Crowd> {
  const after = await fetchChangeCursor(urls[0] ?? '', () => !signal.aborted)
  const subscribers: ChaosSubscriber[] = []

  function subscriberOptions(name: string, model: ChaosModel): SubscriberOptions {
    const url = urls[subscribers.length % urls.length] ?? ''
    return {
      ...{ name, model, url, after, random: random.fork(), queryRows: stage.queryRows },
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
  add(
    openWebSocketSubscriber({
      ...subscriberOptions('restless ws Post', 'Post'),
      ...{ isRestless: true, isLight: true },
    }),
  )
  add(openSseSubscriber(subscriberOptions('sse Team', 'Team')))
  add(openSseSubscriber(subscriberOptions('sse Tag', 'Tag')))
  return {
    subscribers,
    addLatecomer() {
      add(openWebSocketSubscriber(subscriberOptions('late ws Team', 'Team')))
    },
    async awaitProgress(timeoutMs) {
      const numbers = await stage.writer.probe()
      await Promise.all(
        subscribers.map(({ name, model, log }) =>
          log.whenSeen(numbers.get(model) ?? 0, timeoutMs).catch((error: unknown) => {
            throw new Error(`${name} is stuck: ${error instanceof Error ? error.message : String(error)}`)
          }),
        ),
      )
    },
  }
}

/** Builds a world whose parts are closed, last first, when it is disposed of or cannot be built. */
export async function openParts<W>(
  { onTrouble }: Pick<WorldOptions, 'onTrouble'>,
  build: (closing: AsyncDisposable[], close: () => Promise<void>) => Promise<W>,
): Promise<W> {
  const closing: AsyncDisposable[] = []
  const close = async () => {
    for (const part of closing.splice(0).reverse()) {
      // One that cannot be closed must not keep the others open.
      try {
        await part[Symbol.asyncDispose]()
      } catch (error) {
        onTrouble(`Closing failed: ${String(error)}`)
      }
    }
  }
  try {
    return await build(closing, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function prepareTables(sql: SqlClient): Promise<string> {
  await sql.execute(LEDGER_TABLE_SQL)
  await sql.execute(PREPARE_TABLES_SQL)
  const [user] = await sql.query<{ id: string }>(
    `INSERT INTO users (email) VALUES ('chaos@example.com') RETURNING id`,
  )
  return user?.id ?? ''
}
