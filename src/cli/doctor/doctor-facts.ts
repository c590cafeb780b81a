/** Beside the spine, cli. What `doctor` has to know of server and tables beyond what set-up asks; changes nothing. */
import { isRowcastError } from '../../errors.ts'
import { type DatabaseSession, withDatabaseSession } from '../../source/db/sql.ts'
import { baseTypeSql } from '../../source/facts/base-type-sql.ts'
import { type ServerFacts, serverFactsSql } from '../../source/facts/server-facts.ts'
import { isSameTable, type QualifiedTable } from '../../source/facts/table-name.ts'
import { tableTreeSql } from '../../source/facts/table-tree-sql.ts'
import { LOCK_WAIT_MS } from '../../source/setup/run-steps.ts'
import { readWalHolders, type WalHolders } from '../../source/slot/wal-holders.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'

const SERVER_FACTS = [
  ...(['version', 'isInRecovery', 'replicationSlotsMax', 'replicationSlotsUsed', 'walSendersMax'] as const),
  ...(['walSendersUsed', 'isSlotWalLimited', 'synchronousCommit', 'walSenderTimeoutMs'] as const),
  ...(['providerSettings', 'idleSlots'] as const),
] as const

/** Those of them that count where the slot is. */
const SLOT_SERVER_FACTS = [
  ...(['replicationSlotsMax', 'replicationSlotsUsed', 'walSendersMax', 'walSendersUsed'] as const),
  ...(['isSlotWalLimited', 'walSenderTimeoutMs'] as const),
] as const

/** What doctor asks of the server. */
export type ExaminedServer = Pick<ServerFacts, (typeof SERVER_FACTS)[number]>

/** One column. */
export interface ColumnFacts {
  readonly name: string
  /** format_type without modifiers, of a domain that of its base: `character varying`, `timestamp without time zone`. */
  readonly type: string
  /** As the stream would describe it: the OID of the column's type, and what that is based on. */
  readonly typeOid: number
  readonly base: { readonly schema: string; readonly name: string }
  readonly isRequired: boolean
}

/** One live model's table, in numbers. */
export interface TableLoad extends QualifiedTable {
  readonly hasPrimaryKey: boolean
  /** Whether our role may read it. */
  readonly maySelect: boolean
  readonly updates: number
  readonly deletes: number
  /** Days since the statistics began; null where that is not known. */
  readonly statisticsDays: number | null
  /** Mean width of a row, in bytes; null before the first ANALYZE. */
  readonly rowBytes: number | null
  /** Size of the values that PostgreSQL keeps outside the row, and of the table itself; 0 where a lock is in the way. */
  readonly toastBytes: number
  readonly heapBytes: number
  readonly columns: readonly ColumnFacts[]
}

export interface DoctorFacts {
  readonly server: ExaminedServer
  readonly tables: readonly TableLoad[]
  /** Why WAL is held from before what the slot has confirmed. */
  readonly walHolders: WalHolders
}

export async function readDoctorFacts(
  sql: DatabaseSession,
  tables: readonly QualifiedTable[],
  target: Pick<DriverTarget, 'standby'> = {},
): Promise<DoctorFacts> {
  const [server] = await sql.query<ExaminedServer>(`SELECT ${serverFactsSql(SERVER_FACTS)}`)
  if (server === undefined) throw new Error('The server facts query returned no row.')
  const names = [tables.map((each) => each.schema), tables.map((each) => each.table)]
  const loads = await sql.query<Omit<TableLoad, keyof TableSize>>(TABLES_SQL, names)
  const sizes = await readSizes(sql, names)
  return {
    server: { ...server, ...(await readSlotServer(target)) },
    walHolders: await readWalHolders((text) => sql.query(text)),
    tables: loads.map((load) => ({
      ...{ ...load, toastBytes: 0, heapBytes: 0 },
      ...sizes.find((size) => isSameTable(size, load)),
    })),
  }
}

/** Of the standby, where that has the slot. */
async function readSlotServer(target: Pick<DriverTarget, 'standby'>): Promise<Partial<ExaminedServer>> {
  if (target.standby === undefined) return {}
  const [server] = await withDatabaseSession(serverOfSlot(target), (sql) =>
    sql.query<ExaminedServer>(`SELECT ${serverFactsSql(SLOT_SERVER_FACTS)}`),
  )
  return server ?? {}
}

type TableSize = Pick<TableLoad, 'toastBytes' | 'heapBytes'>

/** The size of a table is asked of its files, under a lock; of one that somebody works on, it is not waited for. */
async function readSizes(
  sql: DatabaseSession,
  names: readonly (readonly string[])[],
): Promise<readonly (QualifiedTable & TableSize)[]> {
  try {
    return await sql.transaction((each) => each.query(SIZES_SQL, names), { lockTimeoutMs: LOCK_WAIT_MS })
  } catch (error) {
    if (isRowcastError(error, 'SOURCE_LOCK_TIMEOUT')) return []
    throw error
  }
}

/** The wanted tables, and each with its partitions as `members`. */
const MEMBERS_SQL = `
  WITH RECURSIVE wanted AS (
    SELECT c.oid, c.oid AS root, c.relkind, n.nspname, c.relname FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
      JOIN pg_namespace n ON n.nspname = name.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname AND c.relkind IN ('r', 'p')
  ), ${tableTreeSql({ as: 'parts', trees: 'partitions', below: 'wanted', keeps: ['root'] })}, members AS (
    SELECT root, oid FROM wanted UNION SELECT root, oid FROM parts
  )`

const SIZES_SQL = `${MEMBERS_SQL}
  SELECT w.nspname::text AS "schema", w.relname::text AS "table",
         coalesce(sum(CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END), 0)::float8 AS "toastBytes",
         coalesce(sum(pg_relation_size(c.oid)), 0)::float8 AS "heapBytes"
    FROM wanted w JOIN members m ON m.root = w.oid JOIN pg_class c ON c.oid = m.oid
   GROUP BY 1, 2`

/** Partitions count with their table. */
const TABLES_SQL = `${MEMBERS_SQL}
  SELECT w.nspname::text AS "schema", w.relname::text AS "table",
         EXISTS (SELECT FROM pg_index i WHERE i.indrelid = w.oid AND i.indisprimary) AS "hasPrimaryKey",
         has_table_privilege(w.oid, 'SELECT') AND has_schema_privilege(w.nspname, 'USAGE') AS "maySelect",
         coalesce(sum(s.n_tup_upd), 0)::float8 AS "updates", coalesce(sum(s.n_tup_del), 0)::float8 AS "deletes",
         (SELECT extract(epoch FROM now() - coalesce(d.stats_reset, pg_postmaster_start_time()))::float8 / 86400
            FROM pg_stat_database d WHERE d.datname = current_database()) AS "statisticsDays",
         (SELECT sum(avg_width)::int FROM pg_stats p
           WHERE p.schemaname = w.nspname AND p.tablename = w.relname) AS "rowBytes",
         (SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', base.type, 'typeOid', a.atttypid::bigint,
                   'base', jsonb_build_object('schema', base.schema, 'name', base.name),
                   'isRequired', a.attnotnull) ORDER BY a.attnum), '[]')
            FROM pg_attribute a, LATERAL (${baseTypeSql('a.atttypid')}) base
           WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped) AS "columns"
    FROM wanted w JOIN members m ON m.root = w.oid
         LEFT JOIN pg_stat_user_tables s ON s.relid = m.oid
   GROUP BY w.oid, w.nspname, w.relname ORDER BY 1, 2`
