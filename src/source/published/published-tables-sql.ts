/**
 * Stage 5, source. The SQL behind published-tables.ts: what decides in the catalog what is published of a table, and who
 * is writing to it.
 */
import { endOfRecords, LSN_ZERO, parseLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import { SCHEMAS_VERSION_MIN } from '../db/published-relations-sql.ts'
import type { RunQuery } from '../db/run-query.ts'
import { parseOpenXids, type Writers } from './writers.ts'

/**
 * The partitions below table `c`, as PublishedTable.parts, and the youngest of what decides on their rows. Without a lock:
 * pg_partition_tree would wait for whoever works on one of them.
 *
 * CREATE TABLE … PARTITION OF writes the row of pg_inherits two commands after that of the row type, in one transaction; CREATE,
 * INSERT and ATTACH take more.
 */
const PARTS_SQL = `
        WITH RECURSIVE tree(oid) AS (
          SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'p'
          UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
        ), part AS (
          SELECT pc.oid, pc.xmin AS class_xmin, i.xmin AS link_xmin, pc.relfilenode, i.xmin = pt.xmin
                 AND i.cmin::text::bigint - pt.cmin::text::bigint BETWEEN 0 AND 2 AS is_born
            FROM tree JOIN pg_class pc ON pc.oid = tree.oid JOIN pg_inherits i ON i.inhrelid = pc.oid
            JOIN pg_type pt ON pt.oid = pc.reltype
        )
        SELECT coalesce(jsonb_agg(jsonb_build_array(oid::bigint, link_xmin::text::bigint, relfilenode::bigint, is_born)
                                  ORDER BY oid), '[]') AS list,
               min(least(age(link_xmin), age(class_xmin))) AS age
          FROM part`

/** Who wrote the labels of the enum that column `a` is of, or a list or a domain of, by OID: ADD VALUE comes last. */
const LABELS_SQL = `
          CASE WHEN a.atttypid >= 16384 THEN (
            WITH RECURSIVE base(oid) AS (
              SELECT a.atttypid
              UNION SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
                      FROM base JOIN pg_type t ON t.oid = base.oid AND (t.typtype = 'd' OR t.typcategory = 'A')
            )
            SELECT jsonb_agg(e.xmin::text::bigint ORDER BY e.oid) FROM base JOIN pg_enum e ON e.enumtypid = base.oid) END`

/**
 * The columns of table `c`, as RawColumn. One with a value for rows of before it (`atthasmissing`) loses that with any rewrite,
 * which writes its row of the catalog as ALTER TYPE does, and cannot be distinguished from it.
 */
const COLUMNS_SQL = `
        SELECT coalesce(jsonb_agg(jsonb_build_array(a.attnum, a.attname, CASE WHEN a.atthasmissing THEN 0 ELSE a.xmin::text::bigint END, ${LABELS_SQL})
                                  ORDER BY a.attnum), '[]') AS list
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

/**
 * A lateral subquery on a table `f(oid)`: `published` as in PublishedTable, with all its columns as RawColumn, and `age` of the youngest catalog row behind
 * it, in transactions.
 *
 * `xmin` of a catalog row is the transaction that wrote it: the row of the publication is written again by every change of
 * its options, that of a membership when it comes back or gets another row filter or column list. That of the row type, which
 * is written when the table is made, renamed, moved or given away and by hardly anything else, says since when it stands
 * where it does. pg_class would not do: nearly every ALTER TABLE writes it.
 */
export function publishedTableSql(publication: string, serverVersion: number): string {
  const schemas =
    serverVersion < SCHEMAS_VERSION_MIN
      ? ''
      : `UNION ALL SELECT 'schema', pn.oid, pn.xmin FROM pg_publication_namespace pn
           WHERE pn.pnpubid = p.oid AND pn.pnnspid IN (SELECT a.relnamespace FROM pg_class a WHERE a.oid IN (SELECT oid FROM family))`
  return `
    WITH family AS (SELECT f.oid UNION SELECT relid FROM pg_partition_ancestors(f.oid)),
    member(kind, oid, xmin) AS (
      SELECT 'table', pr.oid, pr.xmin FROM pg_publication p JOIN pg_publication_rel pr ON pr.prpubid = p.oid
       WHERE p.pubname = ${quoteLiteral(publication)} AND pr.prrelid IN (SELECT oid FROM family)
    )
    SELECT jsonb_build_object(
             'oid', c.oid::bigint, 'fileNode', c.relfilenode::bigint, 'toastOid', c.reltoastrelid::bigint,
             'parts', parts.list, 'columns', columns.list, 'evidence', concat_ws(' ', p.oid, p.xmin, c.relkind, c.relpersistence, rows.evidence),
             'rewriteMeans', CASE WHEN NOT p.pubtruncate THEN 'truncate' WHEN rows.is_named THEN 'nothing'
                                  ELSE 'unlogged' END) AS published,
           least(age(p.xmin), rows.age, parts.age, CASE WHEN p.pubtruncate AND rows.is_named THEN NULL ELSE age(c.xmin) END) AS age
      FROM pg_class c JOIN pg_type t ON t.oid = c.reltype, pg_publication p, LATERAL (
        SELECT string_agg(concat(kind, ':', row.oid, ':', row.xmin), ' ' ORDER BY kind, row.oid) AS evidence,
               min(age(row.xmin)) AS age, bool_or(kind = 'table') AS is_named
          FROM (SELECT kind, oid, xmin FROM member
                UNION ALL SELECT 'type', t.oid, t.xmin
                ${schemas}) row
      ) rows, LATERAL (${PARTS_SQL}) parts, LATERAL (${COLUMNS_SQL}) columns
     WHERE c.oid = f.oid AND p.pubname = ${quoteLiteral(publication)}`
}

/** Modes of pg_locks that a transaction keeps, to its end, on a table whose rows it has changed. */
const WRITER_MODES = ['RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']

/** Reads which open transactions have changed rows of the models' tables, partitions included. */
export async function readWriters(
  query: RunQuery,
  tables: ReadonlyMap<string, readonly number[]>,
): Promise<Writers> {
  const byModel = new Map<string, Set<string>>()
  for (const { model, writer } of await query<WriterRow>(writersSql(tables))) {
    byModel.set(model, (byModel.get(model) ?? new Set()).add(writer))
  }
  // Asked for afterwards: who is over by now has written its commit before it.
  const [end] = await query<WalEndRow>(WAL_END_SQL)
  if (end === undefined) return { byModel, lsn: LSN_ZERO }
  return {
    byModel,
    lsn: endOfRecords(parseLsn(end.lsn)),
    open: parseOpenXids(end.open ?? null, end.age ?? 0),
  }
}

interface WalEndRow {
  readonly lsn: string
  /** Of a standby, both. */
  readonly open?: string | null
  readonly age?: number | null
}

interface WriterRow {
  readonly model: string
  readonly writer: string
}

/** A snapshot of a standby may see a transaction just before its commit counts as replayed: received it has been. */
const WAL_END_SQL = `
  SELECT (CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0')
               ELSE pg_current_wal_insert_lsn() END)::text AS lsn,
         CASE WHEN pg_is_in_recovery() THEN pg_current_snapshot()::text END AS open,
         CASE WHEN pg_is_in_recovery() THEN age('3'::xid) END AS age`

/** Without pg_partition_tree, as above. */
function writersSql(tables: ReadonlyMap<string, readonly number[]>): string {
  const wanted = [...tables].flatMap(([model, oids]) => oids.map((oid) => `(${quoteLiteral(model)}, ${oid})`))
  return `
    WITH RECURSIVE wanted(model, oid) AS (VALUES ${wanted.length === 0 ? "('', 0)" : wanted.join(', ')}), written(model, oid) AS (
      SELECT model, oid::oid FROM wanted
      UNION SELECT w.model, i.inhrelid FROM written w JOIN pg_class c ON c.oid = w.oid AND c.relkind = 'p'
        JOIN pg_inherits i ON i.inhparent = c.oid
    )
    SELECT DISTINCT written.model::text AS "model", l.virtualtransaction AS "writer"
      FROM pg_locks l JOIN written ON written.oid = l.relation
     WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND l.mode IN (${WRITER_MODES.map(quoteLiteral).join(', ')})`
}
