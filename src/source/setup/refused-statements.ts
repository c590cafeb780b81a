/**
 * Stage 5, source. What makes PostgreSQL refuse UPDATE and DELETE of a published table beside its identity: a row filter that asks
 * for columns beyond it, and a column list that lacks some of it. Read from the catalogs, without a lock. Source:
 * pub_rf_contains_invalid_column and pub_collist_contains_invalid_column; PostgreSQL manual, "pg_depend".
 */

import type { SqlQueries } from '../db/sql.ts'

/** A table whose UPDATE or DELETE would be refused: by a column list, or by a row filter. */
export interface RefusedTable {
  readonly schema: string
  readonly table: string
  readonly isListed: boolean
}

/** Of a table `c` that logs rows: itself and what it is a partition of, whose filters count for it. */
const FAMILY_SQL = '(SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_ancestors(c.oid))'

/** Whether a publication of UPDATE or DELETE beside the one called $3 filters table `c` by a column that index `i` lacks. */
export const IS_FILTERED_BEYOND_SQL = `
  EXISTS (SELECT FROM ${FAMILY_SQL} up
            JOIN pg_publication_rel pr ON pr.prrelid = up.relid
                 AND to_jsonb(pr) ->> 'prqual' IS NOT NULL AND to_jsonb(pr) ->> 'prattrs' IS NULL
            JOIN pg_publication p ON p.oid = pr.prpubid AND p.pubname <> $3 AND (p.pubupdate OR p.pubdelete)
            JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = pr.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid = pr.prrelid AND d.refobjsubid > 0
            JOIN pg_attribute f ON f.attrelid = pr.prrelid AND f.attnum = d.refobjsubid
           WHERE NOT EXISTS (SELECT FROM pg_attribute a
                              WHERE a.attrelid = c.oid AND a.attname = f.attname AND a.attnum = ANY (i.indkey)))`

/**
 * Tables that the publication names, whose UPDATE or DELETE PostgreSQL would refuse once the publication has them: none where it
 * has both already.
 */
export const readRefusedTables = (sql: SqlQueries, publication: string): Promise<readonly RefusedTable[]> =>
  sql.query<RefusedTable>(REFUSED_TABLES_SQL, [publication])

const REFUSED_TABLES_SQL = `
  WITH RECURSIVE named AS (
    SELECT pr.oid, pr.prrelid, to_jsonb(pr) ->> 'prqual' IS NOT NULL AS has_filter,
           translate(to_jsonb(pr) ->> 'prattrs', '[]', '{}')::int2[] AS list
      FROM pg_publication p JOIN pg_publication_rel pr ON pr.prpubid = p.oid
     WHERE p.pubname = $1 AND NOT (p.pubupdate AND p.pubdelete)
  ), logging(oid, named, prrelid, has_filter, list) AS (
    SELECT prrelid, oid, prrelid, has_filter, list FROM named WHERE has_filter OR list IS NOT NULL
    UNION
    SELECT i.inhrelid, l.named, l.prrelid, l.has_filter, l.list FROM logging l JOIN pg_class c ON c.oid = l.oid AND c.relkind = 'p'
      JOIN pg_inherits i ON i.inhparent = l.oid
  ), used AS (
    SELECT l.oid, l.named, a.attname FROM logging l JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = l.named
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid = l.prrelid AND d.refobjsubid > 0
      JOIN pg_attribute a ON a.attrelid = l.prrelid AND a.attnum = d.refobjsubid
     WHERE l.has_filter AND l.list IS NULL
  ), identity AS (
    SELECT c.oid, a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
           AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
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
