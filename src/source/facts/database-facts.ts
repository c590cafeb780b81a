/**
 * Stage 5, source. Reads what set-up has to know of the database, in a handful of catalog queries, and
 * changes nothing.
 */
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import { FORMER_SLOT_SQL } from './default-slot.ts'
import { type PublicationFacts, readPublication } from './publication-facts.ts'
import { HAS_UPDATE_OR_DELETE_SQL, refusalsOfFullSql, refusalsOfIndexSql } from './refused-statements.ts'
import { HAS_ROW_IDENTITY_SQL, IDENTITY_INDEX_SQL, uniqueIndexSql } from './row-identity-sql.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from './server-facts.ts'
import { parseSlot, type RawSlot, type SlotState, slotSql } from './slot-state.ts'
import type { QualifiedTable, TableName } from './table-name.ts'
import { tableTreeSql } from './table-tree-sql.ts'

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

/** A table's replica identity. */
export interface TableIdentity extends QualifiedTable {
  /** pg_class.relreplident: 'd' default, 'f' full, 'i' index, 'n' nothing. */
  readonly identity: string
  /** The index of 'i'. */
  readonly index: string | null
}

const SERVER_FACTS = [
  ...(['serverVersion', 'walLevel', 'role', 'database', 'mayReplicate'] as const),
  'mayCreateInDatabase',
] as const

/** What set-up asks of the slot. */
export type SlotFacts = Pick<SlotState, 'plugin' | 'slotType' | 'database' | 'activePid' | 'walStatus'>

/** Everything set-up decides on. */
export interface DatabaseFacts extends Pick<ServerFacts, (typeof SERVER_FACTS)[number]> {
  readonly tables: readonly TableFacts[]
  readonly publication: PublicationFacts | null
  readonly slot: SlotFacts | null
  /** Whether the slot of the former default name belongs to this database. */
  readonly hasFormerSlot: boolean
  /** The role that streams, of which `mayReplicate` is, where a standby has the slot. @default role */
  readonly replicationRole?: string | undefined
}

/** Reads the facts about the given tables, publication and slot. */
export async function readDatabaseFacts(
  sql: SqlQueries,
  tables: readonly TableName[],
  publication: string,
  slot: string,
): Promise<DatabaseFacts> {
  const [server] = await sql.query<ServerRow>(SERVER_SQL)
  if (server === undefined) throw new Error('A query without a table returned no row.')
  const { serverVersion } = server
  return {
    ...server,
    tables: await sql.query<TableFacts>(tablesSql(serverVersion), [
      tables.map((t) => t.schema),
      tables.map((t) => t.table),
      publication,
    ]),
    publication: await readPublication(sql, publication, serverVersion),
    slot: await readSetupSlot(sql, slot),
  }
}

/** The same, with the slot of the standby where that has it. */
export async function readDatabaseFactsAt(
  target: DriverTarget,
  sql: SqlQueries,
  { tables, publication, slot }: AskedDatabase,
): Promise<DatabaseFacts> {
  const facts = await readDatabaseFacts(sql, tables, publication, slot)
  if (target.standby === undefined) return facts
  const streaming = await withDatabaseSession(serverOfSlot(target), (standby) => readStreaming(standby, slot))
  return { ...facts, ...streaming }
}

/** What counts where the stream comes from. */
async function readStreaming(
  sql: SqlQueries,
  slot: string,
): Promise<Pick<DatabaseFacts, 'slot' | 'mayReplicate' | 'replicationRole'>> {
  const [server] = await sql.query<Pick<ServerFacts, 'mayReplicate' | 'role'>>(
    `SELECT ${serverFactsSql(['mayReplicate', 'role'])}`,
  )
  const { mayReplicate = false, role } = server ?? {}
  return { mayReplicate, replicationRole: role, slot: await readSetupSlot(sql, slot) }
}

interface AskedDatabase {
  readonly tables: readonly TableName[]
  readonly publication: string
  readonly slot: string
}

async function readSetupSlot(sql: SqlQueries, slot: string): Promise<SlotFacts | null> {
  const [found] = await sql.query<SlotRow>(SLOT_SQL, [slot])
  return found == null || found.slot === null ? null : parseSlot(found.slot, found.isInRecovery)
}

type ServerRow = Omit<DatabaseFacts, 'tables' | 'publication' | 'slot'>
type SlotRow = Pick<ServerFacts, 'isInRecovery'> & { readonly slot: RawSlot | null }

const SERVER_SQL = `SELECT ${serverFactsSql(SERVER_FACTS)}, ${FORMER_SLOT_SQL} AS "hasFormerSlot"`

const SLOT_SQL = `SELECT ${serverFactsSql(['isInRecovery'])}, ${slotSql('$1', SERVER_LSN_SQL)} AS "slot"`

/** Columns that not every version has are read through JSON: where the column is missing, the answer is NULL. */
const tablesSql = (serverVersion: number): string => `
  WITH RECURSIVE wanted AS (
    SELECT c.oid, c.oid AS root, c.relkind FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
      JOIN pg_namespace n ON n.nspname = name.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname
  ), ${tableTreeSql({ as: 'child_tables', trees: 'children', below: 'wanted', keeps: ['root'] })},
  ${tableTreeSql({ as: 'parts', trees: 'partitions', below: 'wanted', keeps: ['root'] })}, found AS (
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
