/** Stage 5, source. Whether a replication connection can be had: what poolers and pg_hba.conf refuse although SQL works. */
import { isRowcastError, RowcastError } from '../../errors.ts'
import { openReplicationConnection } from '../../wire/connection.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { describeTarget } from './database-address.ts'
import { withDatabaseSession } from './sql.ts'
import { sqlstateOf, toRowcastError } from './sqlstate.ts'

/** Opens one and closes it. Null: it can be had. */
export async function probeReplication(
  target: DriverTarget,
  applicationName = 'rowcast doctor',
): Promise<RowcastError | null> {
  try {
    const connection = await openReplicationConnection(target, { applicationName })
    try {
      await connection.identify()
    } finally {
      await connection.close()
    }
    return null
  } catch (error) {
    return toRowcastError(error, target)
  }
}

/**
 * Makes sure that the address passes replication, before anything is made for it.
 * @throws SOURCE_POOLER, or what refused it
 */
export async function checkReplicates(target: DriverTarget): Promise<void> {
  const refusal = await probeReplication(target, 'rowcast setup')
  // That all senders are in use shows that there are some.
  if (refusal === null || isRowcastError(refusal, 'SOURCE_TOO_MANY_CONNECTIONS')) return
  throw !isOfServer(refusal) && (await isPooledAt(target)) ? poolerError(target) : refusal
}

/** Whether PostgreSQL itself refused, for the role or because all senders are in use: that came through, whoever is in between. */
export function isOfServer(refusal: RowcastError): boolean {
  return (
    isRowcastError(refusal, 'SOURCE_AUTHENTICATION_FAILED') ||
    isRowcastError(refusal, 'SOURCE_PERMISSION_DENIED') ||
    isRowcastError(refusal, 'SOURCE_TOO_MANY_CONNECTIONS')
  )
}

/** A protocol violation: what PgBouncer answers to a connection that asks for replication. */
const PROTOCOL_VIOLATION = '08P01'

/** What refused a replication connection, named as what it is where that is a pooler. */
export async function explainRefusal(error: unknown, target: DriverTarget): Promise<RowcastError> {
  const known = toRowcastError(error, target)
  if (sqlstateOf(known) !== PROTOCOL_VIOLATION) return known
  return (await isPooledAt(target).catch(() => false)) ? poolerError(target) : known
}

/** Whether sessions there are shared, as a pooler shares them. */
export function isPooledAt(target: DriverTarget): Promise<boolean> {
  return withDatabaseSession(target, (sql) => sql.isPooled())
}

function poolerError(target: DriverTarget): RowcastError {
  return new RowcastError(
    'SOURCE_POOLER',
    `A connection pooler answers at ${describeTarget(target)}, and passes no replication.`,
  )
}
