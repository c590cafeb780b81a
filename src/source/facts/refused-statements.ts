/**
 * Stage 5, source. What makes PostgreSQL refuse UPDATE and DELETE of a published table: a row filter that asks for columns beyond its
 * identity, a column list that lacks some of it, generated columns of it that are not published. Anybody's publication counts. Read
 * from the catalogs, without a lock. Source: RelationBuildPublicationDesc, pub_rf_contains_invalid_column and
 * pub_contains_invalid_column (pub_collist_contains_invalid_column before version 18); PostgreSQL manual, "pg_depend".
 */

import { SCHEMAS_VERSION_MIN } from '../db/published-relations-sql.ts'
import type { SqlQueries } from '../db/sql.ts'
import { tableTreeSql } from './table-tree-sql.ts'

/** A table whose UPDATE or DELETE would be refused: by a column list, or by a row filter. */
export interface RefusedTable {
  readonly schema: string
  readonly table: string
  readonly isListed: boolean
}

/** Condition on publication `p`: those whose filters, lists and options count. */
export const HAS_UPDATE_OR_DELETE_SQL = '(p.pubupdate OR p.pubdelete)'

/** Columns of index `i` that identify a row: those that it only includes do not. */
const KEY_COLUMNS_SQL = '(i.indkey::int2[])[0:i.indnkeyatts - 1]'

/**
 * A query for the publications that table `c` is published by: (pubname, relid, list, filter, hides). `relid` is the table whose list and
 * filter they are: itself, or what it is published under. `hides`: stored generated columns are left out.
 */
function publicationsOfSql(serverVersion: number, which: string): string {
  const isOfSchema =
    serverVersion < SCHEMAS_VERSION_MIN
      ? 'false'
      : `EXISTS (SELECT FROM pg_publication_namespace pn JOIN pg_class m ON m.relnamespace = pn.pnnspid
                WHERE pn.pnpubid = p.oid AND m.oid = up.relid)`
  return `
    SELECT p.pubname::text AS pubname, under.relid, translate(to_jsonb(pr) ->> 'prattrs', '[]', '{}')::int2[] AS list,
           to_jsonb(pr) ->> 'prqual' AS filter, coalesce(to_jsonb(p) ->> 'pubgencols' = 'n', false) AS hides
      FROM pg_publication p CROSS JOIN LATERAL (
        SELECT up.relid FROM (
                 SELECT c.oid::oid AS relid, 0::bigint AS height
                 UNION SELECT a.relid, a.height FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, height) WHERE a.relid <> c.oid) up
         WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_rel m WHERE m.prpubid = p.oid AND m.prrelid = up.relid) OR ${isOfSchema}
         ORDER BY up.height DESC LIMIT 1) top
      CROSS JOIN LATERAL (SELECT CASE WHEN p.pubviaroot THEN top.relid ELSE c.oid END AS relid) under
      LEFT JOIN pg_publication_rel pr ON pr.prpubid = p.oid AND pr.prrelid = under.relid
     WHERE c.relpersistence = 'p' AND ${which}`
}

/**
 * A query for (pubname, kind): the publications that make PostgreSQL refuse UPDATE or DELETE of table `c` under REPLICA IDENTITY FULL.
 * `which` is a condition on the publication `p`.
 */
export function refusalsOfFullSql(serverVersion: number, which = HAS_UPDATE_OR_DELETE_SQL): string {
  const has = (kind: string) =>
    `EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = '${kind}')`
  return `SELECT * FROM (
    SELECT q.pubname, CASE WHEN q.list IS NOT NULL THEN 'columns' WHEN ${has('v')} THEN 'virtual'
                           WHEN q.hides AND ${has('s')} THEN 'generated' END AS kind
      FROM (${publicationsOfSql(serverVersion, which)}) q) refusal WHERE kind IS NOT NULL`
}

/** The same under an identity of the columns of index `i`. A filter's columns stand in its expression. */
export function refusalsOfIndexSql(serverVersion: number, which = HAS_UPDATE_OR_DELETE_SQL): string {
  const key = `SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (${KEY_COLUMNS_SQL})`
  return `SELECT * FROM (
    SELECT q.pubname, CASE
             WHEN q.list IS NOT NULL AND EXISTS (
               ${key} AND NOT EXISTS (SELECT FROM pg_attribute l WHERE l.attrelid = q.relid AND l.attname = a.attname AND l.attnum = ANY (q.list))) THEN 'columns'
             WHEN q.list IS NULL AND q.hides AND EXISTS (${key} AND a.attgenerated = 's') THEN 'generated'
             WHEN EXISTS (
               SELECT FROM regexp_matches(q.filter, ':varattno ([0-9]+)', 'g') AS used(number)
                 JOIN pg_attribute f ON f.attrelid = q.relid AND f.attnum = used.number[1]::int2
                WHERE NOT EXISTS (${key} AND a.attname = f.attname)) THEN 'filter' END AS kind
      FROM (${publicationsOfSql(serverVersion, which)}) q) refusal WHERE kind IS NOT NULL`
}

/**
 * Tables that the publication names, whose UPDATE or DELETE PostgreSQL would refuse once the publication has them: none where it
 * has both already.
 */
export const readRefusedTables = (sql: SqlQueries, publication: string): Promise<readonly RefusedTable[]> =>
  sql.query<RefusedTable>(REFUSED_TABLES_SQL, [publication])

const NAMED_COLUMNS = ['named', 'prrelid', 'has_filter', 'list']

const REFUSED_TABLES_SQL = `
  WITH RECURSIVE named AS (
    SELECT pr.oid AS named, pr.prrelid, c.oid, c.relkind, to_jsonb(pr) ->> 'prqual' IS NOT NULL AS has_filter,
           translate(to_jsonb(pr) ->> 'prattrs', '[]', '{}')::int2[] AS list
      FROM pg_publication p JOIN pg_publication_rel pr ON pr.prpubid = p.oid JOIN pg_class c ON c.oid = pr.prrelid
     WHERE p.pubname = $1 AND NOT (p.pubupdate AND p.pubdelete)
  ), top AS (SELECT * FROM named WHERE has_filter OR list IS NOT NULL
  ), ${tableTreeSql({ as: 'parts', trees: 'partitions', below: 'top', keeps: NAMED_COLUMNS })}, logging AS (
    SELECT ${NAMED_COLUMNS.join(', ')}, oid FROM top UNION SELECT ${NAMED_COLUMNS.join(', ')}, oid FROM parts
  ), used AS (
    SELECT l.oid, l.named, a.attname FROM logging l JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = l.named
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid = l.prrelid AND d.refobjsubid > 0
      JOIN pg_attribute a ON a.attrelid = l.prrelid AND a.attnum = d.refobjsubid
     WHERE l.has_filter AND l.list IS NULL
  ), identity AS (
    SELECT c.oid, a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
           AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (${KEY_COLUMNS_SQL})
     WHERE c.oid IN (SELECT oid FROM logging)
  )
  SELECT DISTINCT n.nspname::text AS "schema", c.relname::text AS "table", l.list IS NOT NULL AS "isListed"
    FROM logging l JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND CASE
           WHEN l.list IS NOT NULL THEN c.relreplident = 'f' OR EXISTS (
             SELECT FROM identity i WHERE i.oid = l.oid AND i.attname NOT IN (
               SELECT a.attname FROM pg_attribute a WHERE a.attrelid = l.prrelid AND a.attnum = ANY (l.list)))
           ELSE c.relreplident <> 'f' AND EXISTS (
             SELECT FROM used u WHERE u.oid = l.oid AND u.named = l.named
                AND u.attname NOT IN (SELECT i.attname FROM identity i WHERE i.oid = l.oid)) END
   ORDER BY 1, 2`
