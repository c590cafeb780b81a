/**
 * Stage 5, source. Reads what set-up has to know of the database, in a handful of catalog queries, and
 * changes nothing.
 */
import type { SqlClient } from './sql.ts'

/** A table a model is to be read from. */
export interface TableName {
  readonly model: string
  readonly schema: string
  readonly table: string
}

/** One table as PostgreSQL has it. */
export interface TableFacts {
  readonly schema: string
  readonly table: string
  /** pg_class.relkind: 'r' table, 'p' partitioned table, 'v' view, 'm' materialised view, 'f' foreign table. */
  readonly kind: string
  /** pg_class.relpersistence: 'p' permanent, 'u' unlogged, 't' temporary. */
  readonly persistence: string
  /** pg_class.relreplident: 'd' default, 'f' full, 'i' index, 'n' nothing. */
  readonly replicaIdentity: string
  /** Whether our role may ALTER it. */
  readonly isOwned: boolean
  readonly owner: string
  /** True for a partition of a wanted table: they log the changes, so their identity counts as well. */
  readonly isPartition: boolean
}

/** The publication as PostgreSQL has it. */
export interface PublicationFacts {
  readonly owner: string
  readonly isOwned: boolean
  readonly publishesInsert: boolean
  readonly publishesUpdate: boolean
  readonly publishesDelete: boolean
  readonly publishesTruncate: boolean
  readonly viaPartitionRoot: boolean
  /** `schema.table` of every published table, however it came in. */
  readonly tables: readonly { readonly schema: string; readonly table: string }[]
}

/** The slot as PostgreSQL has it. */
export interface SlotFacts {
  readonly plugin: string | null
  readonly slotType: string
  readonly database: string | null
  readonly activePid: number | null
  /** 'reserved', 'extended', 'unreserved' or 'lost'. */
  readonly walStatus: string | null
}

/** Everything set-up decides on. */
export interface DatabaseFacts {
  readonly serverVersion: number
  readonly walLevel: string
  readonly role: string
  readonly database: string
  readonly mayReplicate: boolean
  readonly mayCreateInDatabase: boolean
  readonly tables: readonly TableFacts[]
  readonly publication: PublicationFacts | null
  readonly slot: SlotFacts | null
}

/** Reads the facts about the given tables, publication and slot. */
export async function readDatabaseFacts(
  sql: SqlClient,
  tables: readonly TableName[],
  publication: string,
  slot: string,
): Promise<DatabaseFacts> {
  const [server] = await sql.query<ServerRow>(SERVER_SQL)
  if (server === undefined) throw new Error('The server facts query returned no row.')
  return {
    ...server,
    tables: await sql.query<TableFacts>(TABLES_SQL, [
      tables.map((t) => t.schema),
      tables.map((t) => t.table),
    ]),
    publication: await readPublication(sql, publication),
    slot: (await sql.query<SlotFacts>(SLOT_SQL, [slot]))[0] ?? null,
  }
}

async function readPublication(sql: SqlClient, name: string): Promise<PublicationFacts | null> {
  const [row] = await sql.query<Omit<PublicationFacts, 'tables'>>(PUBLICATION_SQL, [name])
  if (row === undefined) return null
  const tables = await sql.query<{ schema: string; table: string }>(PUBLICATION_TABLES_SQL, [name])
  return { ...row, tables }
}

type ServerRow = Omit<DatabaseFacts, 'tables' | 'publication' | 'slot'>

const SERVER_SQL = `
  SELECT current_setting('server_version_num')::int AS "serverVersion",
         current_setting('wal_level') AS "walLevel",
         current_user::text AS "role",
         current_database()::text AS "database",
         (r.rolreplication OR r.rolsuper) AS "mayReplicate",
         has_database_privilege(current_database(), 'CREATE') AS "mayCreateInDatabase"
    FROM pg_roles r WHERE r.rolname = current_user`

const TABLES_SQL = `
  WITH wanted AS (
    SELECT c.oid FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
      JOIN pg_namespace n ON n.nspname = name.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname
  ), found AS (
    SELECT oid, false AS is_partition FROM wanted
    UNION
    SELECT tree.relid, true FROM wanted, pg_partition_tree(wanted.oid) AS tree
     WHERE tree.relid NOT IN (SELECT oid FROM wanted)
  )
  SELECT n.nspname::text AS "schema", c.relname::text AS "table", c.relkind::text AS "kind",
         c.relpersistence::text AS "persistence", c.relreplident::text AS "replicaIdentity",
         pg_has_role(c.relowner, 'USAGE') AS "isOwned", pg_get_userbyid(c.relowner)::text AS "owner",
         found.is_partition AS "isPartition"
    FROM found JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
   ORDER BY n.nspname, c.relname`

const PUBLICATION_SQL = `
  SELECT pg_get_userbyid(pubowner)::text AS "owner", pg_has_role(pubowner, 'USAGE') AS "isOwned",
         pubinsert AS "publishesInsert", pubupdate AS "publishesUpdate", pubdelete AS "publishesDelete",
         pubtruncate AS "publishesTruncate", pubviaroot AS "viaPartitionRoot"
    FROM pg_publication WHERE pubname = $1`

const PUBLICATION_TABLES_SQL = `
  SELECT schemaname::text AS "schema", tablename::text AS "table" FROM pg_publication_tables WHERE pubname = $1`

const SLOT_SQL = `
  SELECT plugin::text AS "plugin", slot_type AS "slotType", database::text AS "database",
         active_pid AS "activePid", wal_status AS "walStatus"
    FROM pg_replication_slots WHERE slot_name = $1`
