/** Stage 5, source. Asks the database what a new query would see. */
import { withinAnswerTime } from '../../wire/answer-deadline.ts'
import { type DriverTarget, waitBoundsOf } from '../../wire/driver-target.ts'
import { withDatabaseSession } from './sql.ts'

/** Qualified: the Prisma Client's session has a search_path of its own. */
const SNAPSHOT_SQL = 'SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text AS snapshot'

/** A Prisma Client, as far as it is needed here. */
interface RawQueries {
  $queryRawUnsafe(sql: string): Promise<readonly { readonly snapshot: string }[]>
}

/**
 * The snapshot of a session like those that will query: one of the Prisma Client's where there is one, as it may
 * read from a replica; else of a short-lived connection of our own.
 */
export async function readSnapshot(prisma: unknown, target: DriverTarget): Promise<string> {
  const rows = hasRawQueries(prisma)
    ? await withinAnswerTime(prisma.$queryRawUnsafe(SNAPSHOT_SQL), waitBoundsOf(target).answerTimeoutMs)
    : await withDatabaseSession(target, (sql) => sql.query<{ snapshot: string }>(SNAPSHOT_SQL))
  return rows[0]?.snapshot ?? ''
}

function hasRawQueries(prisma: unknown): prisma is RawQueries {
  return typeof prisma === 'object' && prisma !== null && '$queryRawUnsafe' in prisma
}
