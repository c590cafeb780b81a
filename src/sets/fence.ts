/**
 * Beside the spine, sets. Rows read at a fence: in one snapshot, together with what that snapshot sees. A transaction of the stream that the
 * snapshot sees is in the rows already; every other one follows them.
 * Source: PostgreSQL manual, "System Information Functions", pg_current_snapshot; "Transaction Isolation", Repeatable Read.
 */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { delegateName, prismaNameOf } from '../catalog/prisma-omit.ts'
import { isJoinTable } from '../catalog/relation-path.ts'
import { rowsAsSent } from '../catalog/rows-as-sent.ts'
import type { AnyRow, TransactionInfo } from '../changes/change.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'
import { END_LSN_SQL, parseSnapshot, SNAPSHOT_TEXT_SQL } from '../source/db/visibility.ts'
import { hiddenRowsFault } from '../source/setup/row-security.ts'
import { withinAnswerTime } from '../wire/answer-deadline.ts'
import { endOfRecords, type Lsn, parseLsn } from '../wire/lsn.ts'
import type { WeighedPage } from './held-pages.ts'
import { findPairs, type RawQueries } from './join-table-rows.ts'

/** A snapshot, as far as the stream matters. */
export interface Fence {
  /** Whether what the transaction wrote is in the rows. */
  sees(transaction: Pick<TransactionInfo, 'xid' | 'commitLsn'>): boolean
  /** Of a standby: whether what it wrote may be in the rows although `sees` says no. @default it is known of all */
  isUnsure?(transaction: Pick<TransactionInfo, 'xid' | 'commitLsn'>): boolean
  /**
   * Every transaction that the snapshot sees has its commit record before this position. The reverse does not hold: some that it
   * does not see stand before it, too.
   */
  readonly endLsn: Lsn
  /** Equal for snapshots that see the same. */
  readonly text: string
}

/** Rows, and the snapshot they were read in. */
export interface RowsAtFence {
  readonly rows: readonly AnyRow[]
  readonly fence: Fence
}

/** The same as a page. */
export interface FencedRows extends RowsAtFence, WeighedPage {
  /** Rows that were read as well, and left out because all would take too much. @default false */
  readonly isCut?: boolean | undefined
}

const FENCE_SQL =
  `SELECT ${SNAPSHOT_TEXT_SQL} AS snapshot, ` +
  `${END_LSN_SQL} AS lsn, ` +
  "pg_catalog.pg_postmaster_start_time()::pg_catalog.text AS server, pg_catalog.set_config('statement_timeout', $1, true) AS bound"

/** What a standby has replayed, asked before a snapshot: this sees all of it. Several standbys may stand behind one client. */
const REPLAYED_SQL =
  'SELECT pg_catalog.pg_last_wal_replay_lsn()::pg_catalog.text AS lsn, pg_catalog.pg_postmaster_start_time()::pg_catalog.text AS server'

/** Clients that have answered from a standby. */
const standbys = new WeakSet<object>()

/**
 * Whether a table that the transaction has read is another one than its snapshot sees: TRUNCATE, and what rewrites a table, keep to no
 * snapshot, and leave it empty for those from before. The lock of the read keeps it as it is until the transaction ends.
 * Source: PostgreSQL manual, "Caveats" of "Concurrency Control".
 */
const REWRITTEN_SQL =
  "pg_catalog.bool_or(c.oid IS NULL OR c.relkind IN ('r', 'm') AND c.relfilenode <> 0 " +
  'AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid))'

/**
 * A table that the transaction has read, and of which row level security hides rows from its role: by the lock of the read, whatever
 * asked for it, and with the policies that the table had then.
 * Source: PostgreSQL manual, "Access Privilege Inquiry Functions", row_security_active.
 */
const HIDING_SQL =
  'pg_catalog.min(CASE WHEN pg_catalog.row_security_active(l.relation) ' +
  'THEN l.relation::pg_catalog.regclass::pg_catalog.text END)'

/** What is to be known of the tables that the transaction has read. */
const TABLES_SQL =
  `SELECT ${REWRITTEN_SQL} AS rewritten, ${HIDING_SQL} AS hiding ` +
  'FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation ' +
  "WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'"

/** A table that is rewritten again and again is not read. */
const READS_MAX = 4

/** How much longer than its own bounds a transaction may take to say so. */
const END_TIMEOUT_MS = 500

/** A Prisma Client within a transaction. */
type Session = RawQueries

type Transact = <Result>(run: (session: Session) => Promise<Result>, options: object) => Promise<Result>

/** Whether the client has transactions and takes SQL. */
export function canFence(client: unknown): boolean {
  return (
    typeof memberOf(client, '$transaction') === 'function' &&
    typeof memberOf(client, '$queryRawUnsafe') === 'function'
  )
}

/** Reads rows of one model in the snapshot of a fence. */
export type FindMany = (query: object) => Promise<readonly AnyRow[]>

/** What else can be read beside the rows. */
export interface FenceReads {
  /** `count` and `aggregate` of Prisma Client, in the same snapshot. */
  summarize(method: 'count' | 'aggregate', query: object): Promise<unknown>
  /** Reads rows of another model, or of a join table whose schema is named. */
  of(model: ModelSpec): FindMany
}

/**
 * `findMany` at a fence, in a transaction of its own that ends with it.
 * @param timeoutMs of the whole transaction, the wait for a connection included in a second one
 * @throws FIRST_ROWS_FAILED where it takes longer, or the database is in trouble; FIRST_ROWS_REJECTED where it would say no again;
 * SOURCE_ROW_SECURITY where rows of a table that was asked are hidden from the role of the client
 */
export function readAtFence(
  client: object,
  model: ModelSpec,
  query: object,
  timeoutMs: number,
): Promise<RowsAtFence> {
  return readForRows(client, model, timeoutMs, (findMany) => findMany(query))
}

/** The same for whatever is read. @throws as `readAtFence`, and LIST_TOO_COSTLY where `read` does */
export async function readForRows(
  ...[client, model, ...how]: Parameters<typeof atFence>
): Promise<RowsAtFence> {
  try {
    return await atFence(client, model, ...how)
  } catch (cause) {
    if (isRowcastError(cause, 'SOURCE_ROW_SECURITY') || isRowcastError(cause, 'LIST_TOO_COSTLY')) throw cause
    // Without the cause: its text quotes values.
    if (isRejected(cause))
      throw new RowcastError(
        'FIRST_ROWS_REJECTED',
        `PostgreSQL, or Prisma Client, rejects the query for rows of ${model.name}.`,
        {
          hint: memberOf(cause, 'code') === UNREADABLE ? UNREADABLE_HINT : REJECTED_HINT,
        },
      )
    throw new RowcastError('FIRST_ROWS_FAILED', `The first rows of ${model.name} could not be read.`, {
      cause,
    })
  }
}

/**
 * The same for rows that take several statements: all of them see one snapshot. They are read once more where a table was emptied or
 * rewritten behind the snapshot. Nothing is given that lacks rows: the stream, which brings all of them, goes on from it.
 * @throws what the client throws, and what `read` does; FIRST_ROWS_FAILED where that happens again and again; SOURCE_ROW_SECURITY
 */
export async function atFence(...asked: Parameters<typeof readOnce>): Promise<RowsAtFence> {
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const found = await readOnce(...asked)
    if (found.hiding !== null) throw hiddenRowsFault(asked[1].name, found.hiding)
    if (!found.isRewritten) return { rows: found.rows, fence: found.fence }
  }
  throw new RowcastError(
    'FIRST_ROWS_FAILED',
    `A table was emptied or rewritten each time rows of ${asked[1].name} were read.`,
  )
}

async function readOnce(
  client: object,
  model: ModelSpec,
  timeoutMs: number,
  read: (findMany: FindMany, reads: FenceReads) => Promise<readonly AnyRow[]>,
): Promise<RowsAtFence & { readonly isRewritten: boolean; readonly hiding: string | null }> {
  const transact = memberOf(client, '$transaction') as Transact
  const bound = transact.bind(client) as Transact
  const options = { isolationLevel: 'RepeatableRead', timeout: timeoutMs, maxWait: timeoutMs }
  const [replayed] = standbys.has(client)
    ? await withinAnswerTime((client as Session).$queryRawUnsafe(REPLAYED_SQL), timeoutMs)
    : []
  const answer = bound(async (session) => {
    const [found] = await session.$queryRawUnsafe(FENCE_SQL, String(timeoutMs))
    const delegate = memberOf(session, delegateName(prismaNameOf(model)))
    const rows = await read(findManyOf(session, model), {
      summarize: (method, asked) =>
        (memberOf(delegate, method) as (query: object) => Promise<unknown>).call(delegate, asked),
      of: (other) => findManyOf(session, other),
    })
    const [tables] = await session.$queryRawUnsafe(TABLES_SQL)
    const isOfServer = typeof replayed?.['server'] === 'string' && replayed['server'] === found?.['server']
    const replayedLsn = isOfServer ? String(replayed['lsn']) : null
    const fence = fenceOf(String(found?.['snapshot']), String(found?.['lsn']), replayedLsn)
    if (fence.isOfStandby) standbys.add(client)
    const hiding = tables?.['hiding'] == null ? null : String(tables['hiding'])
    return { rows, fence, isRewritten: tables?.['rewritten'] === true, hiding }
  }, options)
  // Prisma's own time-outs come first, unless the network is what is silent: then its transaction waits for ever.
  return withinAnswerTime(answer, 2 * timeoutMs + END_TIMEOUT_MS)
}

/** All rows of sets come from here. A join table has no delegate in Prisma Client. */
function findManyOf(session: Session, model: ModelSpec): FindMany {
  if (isJoinTable(model)) return findPairs(session, model)
  const delegate = memberOf(session, delegateName(prismaNameOf(model)))
  const findMany = memberOf(delegate, 'findMany') as FindMany
  const asSent = rowsAsSent(model)
  return async (query) => asSent(await findMany.call(delegate, query))
}

/** @param replayed what a standby had replayed before the snapshot was taken; null where that is not known */
function fenceOf(
  text: string,
  lsn: string,
  replayed: string | null,
): Fence & { readonly isOfStandby: boolean } {
  const isVisible = parseSnapshot(text)
  const endLsn = endOfRecords(parseLsn(lsn))
  const isOfStandby = isVisible.mayShow !== undefined
  const replayedLsn = isOfStandby && replayed !== null ? parseLsn(replayed) : null
  // Not by what it says to have replayed with its snapshot: by then it has replayed more than that sees.
  const sees: Fence['sees'] = ({ xid, commitLsn }) =>
    isVisible(xid) || (replayedLsn !== null && commitLsn < replayedLsn)
  const isUnsure = ({ xid, commitLsn }: Pick<TransactionInfo, 'xid' | 'commitLsn'>) =>
    isVisible.mayShow?.(xid) === true && commitLsn < endLsn && !sees({ xid, commitLsn })
  return { text, endLsn, isOfStandby, sees, isUnsure }
}

/**
 * Prisma Client's codes for values that do not fit, and for rows that it cannot read. Source: Prisma's error reference.
 */
const ABOUT_VALUES: ReadonlySet<unknown> = new Set([
  ...['P2000', 'P2005', 'P2006', 'P2007', 'P2019', 'P2020', 'P2023', 'P2029', 'P2033'],
])
/** What PostgreSQL answers with is more than the type of the field in Prisma Client holds. */
const UNREADABLE = 'P2023'
const UNREADABLE_HINT =
  'Prisma Client does not read what PostgreSQL answers with: of an Int neither a value nor a sum beyond 2^53. Make the field a BigInt, or ask without it.'
const REJECTED_HINT =
  'Look at the values of `where`: a text with a NUL, a number or a time that the column cannot have. The same would be rejected again.'
/** Data exceptions, and limits of the program. Source: PostgreSQL manual, Appendix A. */
const REJECTING_CLASSES: ReadonlySet<string> = new Set(['22', '54'])

/** Whether a query that failed fails again however often it is made: it is about the values, not about the server. */
function isRejected(error: unknown): boolean {
  if (memberOf(error, 'name') === 'PrismaClientValidationError') return true
  if (ABOUT_VALUES.has(memberOf(error, 'code'))) return true
  const cause = memberOf(memberOf(memberOf(error, 'meta'), 'driverAdapterError'), 'cause')
  const sqlstate = memberOf(cause, 'originalCode')
  return typeof sqlstate === 'string' && REJECTING_CLASSES.has(sqlstate.slice(0, 2))
}
