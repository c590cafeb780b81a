/**
 * Stage 5, source. Plain SQL over one short-lived connection of our own: set-up, checks, migrations. Never the
 * application's pool. The session's settings are pinned, so that answers do not depend on the role's defaults.
 */
import pg from 'pg'
import { RowcastError } from '../errors.ts'
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { isEndedByServer } from '../wire/driver-socket.ts'
import { quoteIdentifier, quoteLiteral } from '../wire/quote.ts'
import { PINNED_SESSION_SETTINGS } from '../wire/session-settings.ts'
import { describeTarget } from './connection-target.ts'
import { toRowcastError } from './sqlstate.ts'

/** What a callback of `withSqlClient` may do. */
export interface SqlClient {
  /**
   * Runs one statement; `parameters` fill `$1`, `$2`, … Rows come with the driver's default types (int8 and
   * numeric as text).
   * @throws SOURCE_… as `source/sqlstate.ts` maps it, with `details.sqlstate`.
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<readonly Row[]>
  /** Runs a script of several statements; outside BEGIN … COMMIT they are one transaction. @throws as `query`. */
  execute(script: string): Promise<void>
}

/** How `withSqlClient` connects. */
export interface SqlClientOptions {
  /** @default 'rowcast setup' */
  readonly applicationName?: string | undefined
  /** @default 10_000 // 10 s */
  readonly connectTimeoutMs?: number | undefined
}

/** Where to connect; `schema`, when given, is where unqualified names live. */
export type SqlTarget = ConnectionTarget & { readonly schema?: string | null | undefined }

/** How long a polite goodbye may take. */
const END_TIMEOUT_MS = 1_000

/**
 * Opens a connection, runs `run` with it, and ends it, whatever happens.
 * @throws SOURCE_… when no session can be had; what `run` throws comes through unchanged.
 */
export async function withSqlClient<Result>(
  target: SqlTarget,
  run: (sql: SqlClient) => Promise<Result>,
  options: SqlClientOptions = {},
): Promise<Result> {
  const client = await connect(target, options)
  try {
    const sql = createSqlClient(client, target)
    await sql.execute(sessionSettingsSql(target.schema ?? null))
    return await run(sql)
  } finally {
    await end(client)
  }
}

async function connect(target: SqlTarget, options: SqlClientOptions): Promise<pg.Client> {
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000
  const config: pg.ClientConfig = {
    ...target,
    application_name: options.applicationName ?? 'rowcast setup',
    connectionTimeoutMillis: connectTimeoutMs,
  }
  const client = new pg.Client(config)
  // Without a listener a connection lost between two queries would end the process; the next query tells of it.
  client.on('error', () => {})
  // The driver's own time-out error has no code; this timer starts first, so it has fired when that one comes.
  let isTimedOut = false
  const timer = setTimeout(() => {
    isTimedOut = true
  }, connectTimeoutMs)
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
  }
}

function createSqlClient(client: pg.Client, target: SqlTarget): SqlClient {
  /** The driver's errors without a code on an open session all say that it is gone. */
  function toFailure(error: unknown): RowcastError {
    const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
    return hasCode ? toRowcastError(error, target) : sessionGone(target, error)
  }
  return {
    async query<Row extends object>(text: string, parameters?: readonly unknown[]) {
      try {
        const result = await client.query<Row>(text, parameters === undefined ? undefined : [...parameters])
        return result.rows
      } catch (error) {
        throw toFailure(error)
      }
    },
    async execute(script) {
      try {
        await client.query(script)
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

/** By SET and not as start-up options, which connection poolers refuse. */
function sessionSettingsSql(schema: string | null): string {
  const settings = Object.entries(PINNED_SESSION_SETTINGS).map(
    ([name, value]) => `SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`,
  )
  return [...settings, ...(schema === null ? [] : [`SET search_path = ${quoteIdentifier(schema)}`])].join(
    '; ',
  )
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
