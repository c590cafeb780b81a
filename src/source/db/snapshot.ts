/** Stage 5, source. Asks the database what a new query would see. */
import { withinAnswerTime } from '../../wire/answer-deadline.ts'
import { type DriverTarget, waitBoundsOf } from '../../wire/driver-target.ts'
import { withDatabaseSession } from './sql.ts'
import { END_LSN_SQL, parseXidBound, SNAPSHOT_TEXT_SQL, snapshotText } from './visibility.ts'

/** Qualified: the Prisma Client's session has a search_path of its own. */
const SNAPSHOT_SQL = `SELECT ${SNAPSHOT_TEXT_SQL} AS snapshot, ${END_LSN_SQL} AS lsn`

/** The ids that transactions hold a lock on, as `parseXidBound` takes them. */
export const HELD_XIDS_SQL = `(SELECT pg_catalog.string_agg(DISTINCT l.transactionid::pg_catalog.text, ',') FROM pg_catalog.pg_locks l
           WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')`

const XID_BOUND_SQL = `SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text AS "snapshot", ${HELD_XIDS_SQL} AS "heldXids"`

/** An id above all that have been given by now, of the server that changes come from; null where it says none. */
export async function readXidBound(target: DriverTarget): Promise<bigint | null> {
  const [row] = await withDatabaseSession(target, (sql) =>
    sql.query<{ snapshot: string; heldXids: string | null }>(XID_BOUND_SQL),
  )
  return row === undefined ? null : parseXidBound(row.snapshot, row.heldXids)
}

/** A Prisma Client, as far as it is needed here. */
interface RawQueries {
  $queryRawUnsafe(sql: string): Promise<readonly SnapshotAnswer[]>
}

type SnapshotAnswer = Parameters<typeof snapshotText>[0]

/**
 * The snapshot of a session like those that will query: one of the Prisma Client's where there is one, as it may
 * read from a replica; else of a short-lived connection of our own.
 */
export async function readSnapshot(prisma: unknown, target: DriverTarget): Promise<string> {
  const rows = hasRawQueries(prisma)
    ? await withinAnswerTime(prisma.$queryRawUnsafe(SNAPSHOT_SQL), waitBoundsOf(target).answerTimeoutMs)
    : await withDatabaseSession(target, (sql) => sql.query<{ snapshot: string; lsn: string }>(SNAPSHOT_SQL))
  return rows[0] === undefined ? '' : snapshotText(rows[0])
}

function hasRawQueries(prisma: unknown): prisma is RawQueries {
  return typeof prisma === 'object' && prisma !== null && '$queryRawUnsafe' in prisma
}
