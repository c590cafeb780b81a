/**
 * Beside the spine, embedded. A PostgreSQL of our own with a lifetime: what `npm run dev` and the tests start.
 * It listens on 127.0.0.1 only and is set up for logical replication.
 *
 * Of the package only its programs are used (binaries.ts): its class starts one with SIGINT as its only end, and hooks the exit of the process.
 */
import { type ConnectionTarget, parseConnectionTarget } from '../source/db/database-address.ts'
import { withSqlClient } from '../source/db/sql.ts'
import { sqlstateOf } from '../source/db/sqlstate.ts'
import { quoteIdentifier } from '../wire/quote.ts'
import { type BinariesOptions, provideBinaries } from './binaries.ts'
import { initializeDataFolder } from './initialize-data-folder.ts'
import type { Postmaster, PostmasterRequest, StopMode } from './postmaster.ts'
import { provideServerUser } from './server-user.ts'
import { startServer } from './start-server.ts'

/** How to run a cluster. */
export interface PostgresClusterOptions extends BinariesOptions {
  /**
   * Made by initdb when missing or empty. Its parent folder holds the log and must exist, be writable for us and
   * open to the server's user (see `chooseDataFolder`).
   */
  readonly dataFolder: string
  /** 0 takes any free port, and keeps it over restarts. @default 0 */
  readonly port?: number | undefined
  /** Server settings beside and instead of the defaults, as `postgres -c` takes them. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Of the superuser `postgres`; counts when the data folder is made. @default a random one, kept among the data */
  readonly password?: string | undefined
  /**
   * Whether nobody needs the data after a crash of the machine: nothing waits for the disk then. They do survive a crash of the server.
   * @default false
   */
  readonly isDisposable?: boolean | undefined
  /** Until it takes connections; recovery after a crash included. @default 60_000 // 1 min */
  readonly startTimeoutMs?: number | undefined
  /** Until a stop is repeated one mode harder. @default 30_000 // 30 s */
  readonly stopTimeoutMs?: number | undefined
}

/** A cluster; it was running when `createPostgresCluster` returned it. */
export interface PostgresCluster {
  /** As the server says it: `18.4`. */
  readonly version: string
  readonly port: number
  readonly dataFolder: string
  readonly logFile: string
  /** False once the server has ended, asked to or not. */
  readonly isRunning: boolean
  /** Process id of the server; null when it is not running. */
  readonly pid: number | null
  /** Address of a database, as its superuser. The password is in it. @default database 'postgres' */
  connectionString(database?: string): string
  /** The same as fields. */
  target(database?: string): ConnectionTarget
  /** Creates an empty database; false when it was there already. */
  createDatabase(name: string): Promise<boolean>
  /** Starts it again, on the same port; nothing to do when it runs. @throws as createPostgresCluster */
  start(): Promise<void>
  /** Stops it in order; nothing to do when it does not run. @default mode 'fast' */
  stop(mode?: StopMode): Promise<void>
  /** Stops and starts it. @default mode 'fast' */
  restart(mode?: StopMode): Promise<void>
  /** A crash: SIGKILL for the server, and its children are gone when this returns. Data stays, `start` recovers. */
  kill(): Promise<void>
}

const SUPERUSER = 'postgres'
const DUPLICATE_DATABASE = '42P04'

const DEFAULT_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_wal_senders: 20,
  max_replication_slots: 20,
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: false,
} as const

/** PostgreSQL manual, "Non-Durable Settings". */
const DISPOSABLE_SETTINGS = { fsync: false, full_page_writes: false } as const

function settingsOf({ isDisposable, settings }: PostgresClusterOptions): PostmasterRequest['settings'] {
  return { ...DEFAULT_SETTINGS, ...(isDisposable ? DISPOSABLE_SETTINGS : {}), ...settings }
}

/**
 * Starts a cluster, making its data folder when there is none. Stopping it before the process ends is up to the
 * caller; when that is forgotten, the server is ended with the process.
 * @throws EMBEDDED_…
 */
export async function createPostgresCluster(options: PostgresClusterOptions): Promise<PostgresCluster> {
  const { dataFolder, startTimeoutMs = 60_000, stopTimeoutMs = 30_000 } = options
  const logFile = `${dataFolder}.log`
  const { user, binaries, password } = await prepareFolder(options)
  let port = options.port ?? 0
  let version = ''
  let postmaster: Postmaster | null = null

  function connectionString(database = 'postgres'): string {
    return `postgresql://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`
  }

  function target(database?: string): ConnectionTarget {
    return parseConnectionTarget(connectionString(database))
  }

  async function start(): Promise<void> {
    if (postmaster !== null && !postmaster.hasExited) return
    const started = await startServer({
      binaries,
      dataFolder,
      logFile,
      user,
      port,
      settings: settingsOf(options),
      login: { user: SUPERUSER, password },
      startTimeoutMs,
      stopTimeoutMs,
    })
    postmaster = started.postmaster
    port = started.port
    version = started.version
  }

  async function stop(mode: StopMode = 'fast'): Promise<void> {
    await postmaster?.stop(mode, stopTimeoutMs)
  }

  await start()
  return {
    get version() {
      return version
    },
    get port() {
      return port
    },
    get isRunning() {
      return postmaster !== null && !postmaster.hasExited
    },
    get pid() {
      return postmaster === null || postmaster.hasExited ? null : postmaster.pid
    },
    dataFolder,
    logFile,
    connectionString,
    target,
    start,
    stop,
    async restart(mode) {
      await stop(mode)
      await start()
    },
    async kill() {
      await postmaster?.kill()
    },
    createDatabase: (name) => createDatabase(target(), name),
  }
}

/** What a server runs with on its data folder, which is made where there is none. */
async function prepareFolder({ dataFolder, isDisposable, ...options }: PostgresClusterOptions) {
  const user = provideServerUser()
  const binaries = await provideBinaries(user, options)
  const password = await initializeDataFolder({
    ...{ binaries, dataFolder, user, isDisposable },
    superuser: SUPERUSER,
    password: options.password,
  })
  return { user, binaries, password }
}

async function createDatabase(target: ConnectionTarget, name: string): Promise<boolean> {
  try {
    await withSqlClient(target, (sql) => sql.execute(`CREATE DATABASE ${quoteIdentifier(name)}`))
    return true
  } catch (error) {
    if (sqlstateOf(error) === DUPLICATE_DATABASE) return false
    throw error
  }
}
