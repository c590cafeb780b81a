/**
 * Stage 5, source. Plain SQL over one short-lived connection of our own: set-up, checks, migrations. Never the
 * application's pool. Settings are pinned, so that answers do not depend on the role's defaults; every answer has a deadline.
 */
import type pg from 'pg'
import { isRowcastError, RowcastError } from '../../errors.ts'
import { withAnswerDeadline } from '../../wire/answer-deadline.ts'
import { createDriverClient } from '../../wire/driver-client.ts'
import { driverSocket, isEndedByServer } from '../../wire/driver-socket.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { type WaitBounds, waitBoundsOf } from '../../wire/driver-target.ts'
import { quoteIdentifier } from '../../wire/quote.ts'
import { connectToWanted } from '../../wire/server-search.ts'
import { sessionSettingsSql } from '../../wire/session-settings.ts'
import { describeTarget } from './database-address.ts'
import { toRowcastError } from './sqlstate.ts'

/** Runs statements. */
export interface SqlQueries {
  /**
   * Runs one statement; `parameters` fill `$1`, `$2`, … Rows come with the driver's default types (int8 and
   * numeric as text).
   * @throws SOURCE_… as `source/db/sqlstate.ts` maps it, with `details.sqlstate`.
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<readonly Row[]>
}

/** What a callback of `withSqlClient` may do. */
export interface SqlClient extends SqlQueries {
  /** Runs a script of several statements; outside BEGIN … COMMIT they are one transaction. @throws as `query`. */
  execute(script: string): Promise<void>
}

/** What a callback of `withDatabaseSession` may do. */
export interface DatabaseSession extends SqlQueries {
  /** Several statements as one transaction, rolled back when `work` throws. */
  transaction<Value>(work: (sql: SqlQueries) => Promise<Value>, options?: TransactionOptions): Promise<Value>
  /**
   * One statement as a transaction, sent with its commit: the locks that it takes wait neither for the network nor for us.
   * @throws as `query`
   */
  commit(statement: string, options?: TransactionOptions): Promise<void>
  /** Whether a pooler answers: the session is not the one that PostgreSQL named when it was opened. */
  isPooled(): Promise<boolean>
}

/** How a transaction behaves. */
export interface TransactionOptions {
  /** Read-write, whatever the role's default is; a standby refuses it. @default false */
  readonly isWriting?: boolean | undefined
  /** How long each statement may wait for each lock. @default the session's */
  readonly lockTimeoutMs?: number | undefined
  /** Settings of this transaction alone. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** How a session connects, and how long it waits beyond what the target says. */
export interface SqlClientOptions extends WaitBounds {
  /** @default 'rowcast setup' */
  readonly applicationName?: string | undefined
}

/** How a session with the application's database behaves. */
export interface DatabaseSessionOptions extends SqlClientOptions {
  /** How long a statement may wait for each lock, beside the time for its answer. @default as long as for an answer */
  readonly lockTimeoutMs?: number | undefined
}

/** Where to connect; `schema`, when given, is where unqualified names of `withSqlClient` live. */
export type SqlTarget = DriverTarget & { readonly schema?: string | null | undefined }

/** How long a polite goodbye may take, and an answer on its way. */
const END_TIMEOUT_MS = 1_000

/**
 * A session with the application's database. Each statement is a transaction of its own, `transaction` makes several one,
 * under pinned settings that end with it: a pooler in between hands the session to the application next. Unqualified names
 * are pg_catalog's.
 * @throws SOURCE_… when no session can be had, WIRE_ANSWER_TIMEOUT; what `run` throws comes through unchanged.
 */
export async function withDatabaseSession<Result>(
  target: SqlTarget,
  run: (sql: DatabaseSession) => Promise<Result>,
  options: DatabaseSessionOptions = {},
): Promise<Result> {
  const { answerTimeoutMs, end: waitEnd } = waitBoundsOf(target, options)
  const client = await connect(target, options)
  const stopListening = waitEnd.onAbort(() => driverSocket(client).destroy())
  try {
    const waiting: Waiting = { answerTimeoutMs, lockTimeoutMs: options.lockTimeoutMs ?? 0 }
    const sql = createSqlClient(client, target, waiting)
    return await run(createDatabaseSession(sql, backendPid(client), waiting))
  } finally {
    stopListening()
    await end(client)
  }
}

/** What a session waits for at the moment; a lock is waited for beside the answer. */
interface Waiting {
  readonly answerTimeoutMs: number
  lockTimeoutMs: number
}

function createDatabaseSession(
  sql: SqlClient,
  announcedPid: number | null,
  waiting: Waiting,
): DatabaseSession {
  const { lockTimeoutMs } = waiting
  const begin = (own: TransactionOptions): string => {
    waiting.lockTimeoutMs = own.lockTimeoutMs ?? lockTimeoutMs
    return beginSql(waiting, own)
  }
  const session: DatabaseSession = {
    query: (text, parameters) => session.transaction((each) => each.query(text, parameters)),
    async transaction(work, own = {}) {
      await sql.execute(begin(own))
      try {
        const value = await work(sql)
        await sql.execute('COMMIT')
        return value
      } catch (error) {
        await sql.execute('ROLLBACK').catch(() => {})
        throw error
      }
    },
    async commit(statement, own = {}) {
      try {
        await sql.execute(`${begin(own)}; ${statement}; COMMIT`)
      } catch (error) {
        await sql.execute('ROLLBACK').catch(() => {})
        throw error
      }
    },
    async isPooled() {
      const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      return announcedPid !== null && row?.pid !== announcedPid
    },
  }
  return session
}

function beginSql({ answerTimeoutMs, lockTimeoutMs }: Waiting, own: TransactionOptions): string {
  const settings = {
    statement_timeout: String(answerTimeoutMs + lockTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    ...own.settings,
  }
  const begin = `BEGIN ISOLATION LEVEL READ COMMITTED, NOT DEFERRABLE${own.isWriting ? ', READ WRITE' : ''}`
  return `${begin}; ${sessionSettingsSql({ scope: 'transaction', settings })}`
}

/** The process that the server names when a session begins; a pooler names one of its own. */
function backendPid(client: pg.Client): number | null {
  const pid: unknown = Reflect.get(client, 'processID')
  return typeof pid === 'number' ? pid : null
}

/**
 * A session with a server of our own: settings last as long as it does, unqualified names live in the target's `schema`,
 * and a statement may take as long as it takes.
 * @throws SOURCE_… when no session can be had; what `run` throws comes through unchanged.
 */
export async function withSqlClient<Result>(
  target: SqlTarget,
  run: (sql: SqlClient) => Promise<Result>,
  options: SqlClientOptions = {},
): Promise<Result> {
  const client = await connect(target, options)
  try {
    const sql = createSqlClient(client, target, null)
    const searchPath = target.schema == null ? null : quoteIdentifier(target.schema)
    await sql.execute(sessionSettingsSql({ scope: 'session', searchPath }))
    return await run(sql)
  } finally {
    await end(client)
  }
}

async function connect(target: SqlTarget, options: SqlClientOptions): Promise<pg.Client> {
  const { answerTimeoutMs, end: waitEnd } = waitBoundsOf(target, options)
  const { client } = await connectToWanted(target, {
    answerTimeoutMs,
    isOver: () => waitEnd.aborted !== null,
    connect: async (server) => ({ client: await connectToOne(server, options) }),
  }).catch((error: unknown) => {
    throw toRowcastError(error, target)
  })
  return client
}

async function connectToOne(target: SqlTarget, options: SqlClientOptions): Promise<pg.Client> {
  const { answerTimeoutMs: connectTimeoutMs, end: waitEnd } = waitBoundsOf(target, options)
  const { aborted } = waitEnd
  if (aborted !== null) throw sessionGone(target, aborted.reason)
  const config: pg.ClientConfig = {
    ...target,
    application_name: options.applicationName ?? 'rowcast setup',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
  }
  const client = createDriverClient(config, target)
  // Without a listener a connection lost between two queries would end the process; the next query reports it.
  client.on('error', () => {})
  // The driver's own time-out error has no code; this timer starts first, so it has fired when that one comes.
  let isTimedOut = false
  const timer = setTimeout(() => {
    isTimedOut = true
  }, connectTimeoutMs)
  const stopListening = waitEnd.onAbort(() => driverSocket(client).destroy())
  try {
    await client.connect()
    return client
  } catch (error) {
    const hasServerLeft = isEndedByServer(client, error)
    await end(client)
    if (isTimedOut) {
      throw new RowcastError(
        'SOURCE_HOST_UNREACHABLE',
        `PostgreSQL at ${describeTarget(target)} did not answer within ${connectTimeoutMs} ms.`,
      )
    }
    if (hasServerLeft) throw sessionGone(target, error)
    throw toRowcastError(error, target)
  } finally {
    clearTimeout(timer)
    stopListening()
  }
}

/** Null: an answer may take as long as it takes. */
function createSqlClient(client: pg.Client, target: SqlTarget, waiting: Waiting | null): SqlClient {
  // The server's own time-out comes first, and says so, unless the network is what is silent.
  const deadlineMs = () =>
    waiting === null ? null : waiting.answerTimeoutMs + waiting.lockTimeoutMs + END_TIMEOUT_MS
  /** The driver's errors without a code on an open session all say that it is gone. */
  function toFailure(error: unknown): RowcastError {
    if (isRowcastError(error)) return error
    const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
    return hasCode ? toRowcastError(error, target) : sessionGone(target, error)
  }
  return {
    async query<Row extends object>(text: string, parameters?: readonly unknown[]) {
      try {
        const values = parameters === undefined ? undefined : [...parameters]
        const result = await withAnswerDeadline(client, deadlineMs(), () => client.query<Row>(text, values))
        return result.rows
      } catch (error) {
        throw toFailure(error)
      }
    },
    async execute(script) {
      try {
        await withAnswerDeadline(client, deadlineMs(), () => client.query(script))
      } catch (error) {
        throw toFailure(error)
      }
    },
  }
}

function sessionGone(target: SqlTarget, cause: unknown): RowcastError {
  return new RowcastError('SOURCE_CONNECTION_LOST', `The session with ${describeTarget(target)} is gone.`, {
    cause,
  })
}

/** Says goodbye; a network that swallows it does not hold us. */
async function end(client: pg.Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_TIMEOUT_MS)
  })
  await Promise.race([client.end().catch(() => {}), timeout])
  clearTimeout(timer)
}
