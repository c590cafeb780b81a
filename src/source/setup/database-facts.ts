/**
 * Stage 5, source. Reads what set-up has to know of the database, in a handful of catalog queries, and
 * changes nothing.
 */
import { publishedRelationsSql } from '../db/published-relations-sql.ts'
import type { SqlQueries } from '../db/sql.ts'
import { FORMER_SLOT_SQL } from './default-slot.ts'
import {
  HAS_UPDATE_OR_DELETE_SQL,
  type RefusedTable,
  readRefusedTables,
  refusalsOfFullSql,
  refusalsOfIndexSql,
} from './refused-statements.ts'
import { HAS_ROW_IDENTITY_SQL, IDENTITY_INDEX_SQL, uniqueIndexSql } from './row-identity-sql.ts'

/** A table by its full name. */
export interface QualifiedTable {
  readonly schema: string
  readonly table: string
}

/** Whether two names are one table. */
export function isSameTable(a: QualifiedTable, b: QualifiedTable): boolean {
  return a.schema === b.schema && a.table === b.table
}

/**
 * What a table shall log of a row's former self: everything, or what it logs already. Under `keep` updates and
 * deletes have no `old` unless the table has REPLICA IDENTITY FULL by itself.
 */
export type IdentityMode = 'full' | 'keep'

/** A table a model is to be read from. */
export interface TableName extends QualifiedTable {
  readonly model: string
  /** @default 'full' */
  readonly replicaIdentity?: IdentityMode | undefined
  /** Columns of its String fields, which show the text of whatever type the column has. @default none */
  readonly textColumns?: readonly string[] | undefined
  /** Columns of its fields. @default all that the table has */
  readonly columns?: readonly string[] | undefined
  /** Whether set-up goes on without it where PostgreSQL writes no changes of it. @default false */
  readonly isOptional?: boolean | undefined
}

/** One table as PostgreSQL has it. */
export interface TableFacts extends QualifiedTable {
  /** The wanted table that it is, is a partition of, or inherits from. */
  readonly root: QualifiedTable
  /** pg_class.relkind: 'r' table, 'p' partitioned table, 'v' view, 'm' materialised view, 'f' foreign table. */
  readonly kind: string
  /** pg_class.relpersistence: 'p' permanent, 'u' unlogged, 't' temporary. */
  readonly persistence: string
  /** pg_class.relreplident: 'd' default, 'f' full, 'i' index, 'n' nothing. */
  readonly replicaIdentity: string
  /** The index of identity 'i'. */
  readonly identityIndex: string | null
  /** Whether our role may ALTER it. */
  readonly isOwned: boolean
  readonly owner: string
  /** True for a partition of a wanted table: they log the changes, so their identity counts as well. */
  readonly isPartition: boolean
  /** True for a table that inherits from a wanted one: a table of its own, whose rows the wanted one shows too. */
  readonly isChild: boolean
  /** Whether the identity it has finds a row: where not, PostgreSQL refuses UPDATE and DELETE once it is published. */
  readonly hasRowIdentity: boolean
  /** Whether identity DEFAULT would find a row. */
  readonly hasPrimaryKey: boolean
  /** Whether a publication's list or filter would make PostgreSQL refuse UPDATE or DELETE under DEFAULT. @default false */
  readonly isKeyRefused?: boolean | undefined
  /** The same of the identity it has, where that is an index. @default false */
  readonly isIdentityRefused?: boolean | undefined
  /** An index that could be the identity: unique, complete, over columns that are never NULL, and not refused like that. */
  readonly uniqueIndex: string | null
  readonly hasStoredGeneratedColumn: boolean
  /** PostgreSQL 18 and later. */
  readonly hasVirtualGeneratedColumn: boolean
  /** Publications of UPDATE or DELETE that list columns of it; ours, whatever it publishes. */
  readonly columnListsIn: readonly string[]
  /** Other publications that publish it without its generated columns; PostgreSQL 18 and later. */
  readonly generatedHiddenIn: readonly string[]
}

/** A published table whose UPDATE and DELETE PostgreSQL refuses, because nothing identifies its rows. */
export interface UnidentifiedTable extends QualifiedTable {
  readonly isOwned: boolean
  readonly owner: string
  /** As in TableFacts. */
  readonly replicaIdentity: string
  readonly identityIndex: string | null
  /** As in TableFacts, whatever lists and filters say. */
  readonly uniqueIndex: string | null
}

/** A table's replica identity. */
export interface TableIdentity extends QualifiedTable {
  /** pg_class.relreplident: 'd' default, 'f' full, 'i' index, 'n' nothing. */
  readonly identity: string
  /** The index of 'i'. */
  readonly index: string | null
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
  /** FOR ALL TABLES: none can be added. @default false */
  readonly isForAllTables?: boolean | undefined
  /** Whether stored generated columns are published; only PostgreSQL 18 and later can. */
  readonly publishesGenerated: boolean
  /** COMMENT ON PUBLICATION. */
  readonly comment: string | null
  /** `schema.table` of every published table, however it came in. */
  readonly tables: readonly QualifiedTable[]
  /** Those that it names, one by one. */
  readonly named: readonly QualifiedTable[]
  /** Those of its tables that the application cannot change any more. */
  readonly unidentified: readonly UnidentifiedTable[]
  /** Those of which it could not once the publication has UPDATE and DELETE, by its row filter or column list. @default none */
  readonly refused?: readonly RefusedTable[]
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
  /** Whether the slot of the former default name belongs to this database. */
  readonly hasFormerSlot: boolean
}

/** Reads the facts about the given tables, publication and slot. */
export async function readDatabaseFacts(
  sql: SqlQueries,
  tables: readonly TableName[],
  publication: string,
  slot: string,
): Promise<DatabaseFacts> {
  const [server] = await sql.query<ServerRow>(SERVER_SQL)
  if (server === undefined) throw new Error('The server facts query returned no row.')
  const { serverVersion } = server
  return {
    ...server,
    tables: await sql.query<TableFacts>(tablesSql(serverVersion), [
      tables.map((t) => t.schema),
      tables.map((t) => t.table),
      publication,
    ]),
    publication: await readPublication(sql, publication, serverVersion),
    slot: (await sql.query<SlotFacts>(SLOT_SQL, [slot]))[0] ?? null,
  }
}

async function readPublication(
  sql: SqlQueries,
  name: string,
  serverVersion: number,
): Promise<PublicationFacts | null> {
  const [row] = await sql.query<PublicationRow>(PUBLICATION_SQL, [name])
  if (row === undefined) return null
  const tables = await sql.query<QualifiedTable>(publicationTablesSql(serverVersion), [name])
  const unidentified = await sql.query<UnidentifiedTable>(unidentifiedTablesSql(serverVersion), [name])
  return { ...row, tables, unidentified, refused: await readRefusedTables(sql, name) }
}

type PublicationRow = Omit<PublicationFacts, 'tables' | 'unidentified' | 'refused'>
type ServerRow = Omit<DatabaseFacts, 'tables' | 'publication' | 'slot'>

/** On Amazon RDS a role replicates as a member of rds_replication. */
const SERVER_SQL = `
  SELECT current_setting('server_version_num')::int AS "serverVersion",
         current_setting('wal_level') AS "walLevel",
         current_user::text AS "role",
         current_database()::text AS "database",
         (r.rolreplication OR r.rolsuper OR EXISTS (
           SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')
         )) AS "mayReplicate",
         has_database_privilege(current_database(), 'CREATE') AS "mayCreateInDatabase",
         ${FORMER_SLOT_SQL} AS "hasFormerSlot"
    FROM pg_roles r WHERE r.rolname = current_user`

/** Columns that not every version has are read through JSON: where the column is missing, the answer is NULL. */
const tablesSql = (serverVersion: number): string => `
  WITH RECURSIVE wanted AS (
    SELECT c.oid, c.relkind FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
      JOIN pg_namespace n ON n.nspname = name.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname
  ), child_tables(oid, root) AS (
    SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN wanted w ON w.oid = i.inhparent AND w.relkind = 'r'
    UNION
    SELECT i.inhrelid, h.root FROM pg_inherits i JOIN child_tables h ON h.oid = i.inhparent
  ), parts(oid, root) AS (
    SELECT i.inhrelid, w.oid FROM wanted w JOIN pg_inherits i ON i.inhparent = w.oid AND w.relkind = 'p' AND NOT i.inhdetachpending
    UNION
    SELECT i.inhrelid, p.root FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid AND NOT i.inhdetachpending
  ), found AS (
    SELECT oid, oid AS root, false AS is_partition, false AS is_child FROM wanted
    UNION
    SELECT oid, root, true, false FROM parts WHERE oid NOT IN (SELECT oid FROM wanted)
    UNION
    SELECT oid, root, false, true FROM child_tables WHERE oid NOT IN (SELECT oid FROM wanted)
  )
  SELECT n.nspname::text AS "schema", c.relname::text AS "table", c.relkind::text AS "kind",
         json_build_object('schema', rn.nspname, 'table', r.relname) AS "root",
         c.relpersistence::text AS "persistence", c.relreplident::text AS "replicaIdentity",
         ${IDENTITY_INDEX_SQL} AS "identityIndex",
         pg_has_role(c.relowner, 'USAGE') AS "isOwned", pg_get_userbyid(c.relowner)::text AS "owner",
         found.is_partition AS "isPartition", found.is_child AS "isChild",
         (${HAS_ROW_IDENTITY_SQL}) AS "hasRowIdentity",
         EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid) AS "hasPrimaryKey",
         ${uniqueIndexSql(`NOT EXISTS (${refusalsOfIndexSql(serverVersion)})`)} AS "uniqueIndex",
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 's') AS "hasStoredGeneratedColumn",
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v') AS "hasVirtualGeneratedColumn",
         EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND EXISTS (${refusalsOfIndexSql(serverVersion)})) AS "isKeyRefused",
         EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND EXISTS (${refusalsOfIndexSql(serverVersion)})
                    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) AS "isIdentityRefused",
         ARRAY(SELECT r.pubname FROM (${refusalsOfFullSql(serverVersion, `(p.pubname = $3 OR ${HAS_UPDATE_OR_DELETE_SQL})`)}) r
                WHERE r.kind = 'columns' ORDER BY 1) AS "columnListsIn",
         ARRAY(SELECT r.pubname FROM (${refusalsOfFullSql(serverVersion, `p.pubname <> $3 AND ${HAS_UPDATE_OR_DELETE_SQL}`)}) r
                WHERE r.kind = 'generated' ORDER BY 1) AS "generatedHiddenIn"
    FROM found JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class r ON r.oid = found.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
   ORDER BY n.nspname, c.relname`

const PUBLICATION_SQL = `
  SELECT pg_get_userbyid(pubowner)::text AS "owner", pg_has_role(pubowner, 'USAGE') AS "isOwned",
         pubinsert AS "publishesInsert", pubupdate AS "publishesUpdate", pubdelete AS "publishesDelete",
         pubtruncate AS "publishesTruncate", pubviaroot AS "viaPartitionRoot",
         puballtables AS "isForAllTables",
         coalesce(to_jsonb(p) ->> 'pubgencols' = 's', false) AS "publishesGenerated",
         obj_description(oid, 'pg_publication') AS "comment",
         (SELECT coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname)), '[]')
            FROM pg_publication_rel pr JOIN pg_class c ON c.oid = pr.prrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE pr.prpubid = p.oid) AS "named"
    FROM pg_publication p WHERE pubname = $1`

const publicationTablesSql = (serverVersion: number): string => `
  SELECT n.nspname::text AS "schema", c.relname::text AS "table"
    FROM (${publishedRelationsSql(serverVersion, 'p.pubname = $1')}) t
    JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace`

/**
 * The partitions of a published table log its changes, so each of them counts by itself. Whether the publication has UPDATE
 * and DELETE already does not matter: set-up adds them.
 */
const unidentifiedTablesSql = (serverVersion: number): string => `
  WITH RECURSIVE published AS (${publishedRelationsSql(serverVersion, 'p.pubname = $1')}
  ), logging(oid) AS (
    SELECT relid FROM published
    UNION
    SELECT i.inhrelid FROM logging l JOIN pg_class c ON c.oid = l.oid AND c.relkind = 'p'
      JOIN pg_inherits i ON i.inhparent = l.oid AND NOT i.inhdetachpending
  )
  SELECT n.nspname::text AS "schema", c.relname::text AS "table",
         pg_has_role(c.relowner, 'USAGE') AS "isOwned", pg_get_userbyid(c.relowner)::text AS "owner",
         c.relreplident::text AS "replicaIdentity", ${IDENTITY_INDEX_SQL} AS "identityIndex",
         ${uniqueIndexSql()} AS "uniqueIndex"
    FROM logging JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND NOT (${HAS_ROW_IDENTITY_SQL})
   ORDER BY 1, 2`

const SLOT_SQL = `
  SELECT plugin::text AS "plugin", slot_type AS "slotType", database::text AS "database",
         active_pid AS "activePid", wal_status AS "walStatus"
    FROM pg_replication_slots WHERE slot_name = $1`
