/** Stage 5, source. The publication: its options, its tables, and those of which it makes PostgreSQL refuse UPDATE and DELETE. */
import { publishedRelationsSql } from '../db/published-relations-sql.ts'
import type { SqlQueries } from '../db/sql.ts'
import { type RefusedTable, readRefusedTables } from './refused-statements.ts'
import { HAS_ROW_IDENTITY_SQL, IDENTITY_INDEX_SQL, uniqueIndexSql } from './row-identity-sql.ts'
import type { QualifiedTable } from './table-name.ts'
import { tableTreeSql } from './table-tree-sql.ts'

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

/** The publication as it stands. */
export interface PublicationState {
  /** Changes when it is dropped and recreated. */
  readonly oid: number
  /** Which of insert, update, delete and truncate it publishes, as `iudt`. */
  readonly actions: string
}

/** An expression: the publication of this name as PublicationState, or NULL. */
export function publicationStateSql(name: string): string {
  return `(SELECT jsonb_build_object('oid', oid::bigint, 'actions',
                   concat(CASE WHEN pubinsert THEN 'i' END, CASE WHEN pubupdate THEN 'u' END,
                          CASE WHEN pubdelete THEN 'd' END, CASE WHEN pubtruncate THEN 't' END))
            FROM pg_publication WHERE pubname = ${name})`
}

/** Reads the publication; null where there is none. */
export async function readPublication(
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
  ), top AS (SELECT c.oid, c.relkind FROM published JOIN pg_class c ON c.oid = published.relid
  ), ${tableTreeSql({ as: 'parts', trees: 'partitions', below: 'top', keeps: [] })}, logging AS (
    SELECT oid FROM top UNION SELECT oid FROM parts
  )
  SELECT n.nspname::text AS "schema", c.relname::text AS "table",
         pg_has_role(c.relowner, 'USAGE') AS "isOwned", pg_get_userbyid(c.relowner)::text AS "owner",
         c.relreplident::text AS "replicaIdentity", ${IDENTITY_INDEX_SQL} AS "identityIndex",
         ${uniqueIndexSql()} AS "uniqueIndex"
    FROM logging JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND NOT (${HAS_ROW_IDENTITY_SQL})
   ORDER BY 1, 2`
