/**
 * Stage 5, source. What tables look like by the catalog, as the messages that PostgreSQL would send of them. It describes a
 * table only before its next row: after a drift was repaired nobody could subscribe until somebody writes.
 */
import { Buffer } from 'node:buffer'
import { encodeRelation, encodeType } from '../../pgoutput/encode-relation.ts'
import type { RelationColumn, ReplicaIdentity } from '../../pgoutput/messages.ts'
import { endOfRecords, type Lsn, parseLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { RunQuery } from '../db/run-query.ts'
import { baseTypeSql } from '../facts/base-type-sql.ts'
import { isSameTable } from '../facts/table-name.ts'

/** A table, and what of it is not sent. */
export interface ShapedTable {
  readonly schema: string
  readonly table: string
  readonly unpublishedColumns: readonly string[]
}

/** How tables look. */
export interface TableShapes {
  /** Types and relations, in the order in which a stream brings them. */
  readonly messages: readonly Buffer[]
  /** A stream that has come so far has brought every row that was written before they looked so. */
  readonly lsn: Lsn
}

interface ShapeRow {
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly identity: ReplicaIdentity
  readonly columns: readonly (RelationColumn & { readonly baseSchema: string; readonly baseName: string })[]
  readonly lsn: string
}

/** OIDs below it are of PostgreSQL's own types, which it does not describe: FirstGenbkiObjectId. */
const OWN_TYPES_BELOW = 10_000

/** Reads them; null where none of the tables is there. */
export async function readTableShapes(
  query: RunQuery,
  tables: readonly ShapedTable[],
): Promise<TableShapes | null> {
  if (tables.length === 0) return null
  const rows = await query<ShapeRow>(shapesSql(tables))
  const [first] = rows
  if (first === undefined) return null
  const messages = rows.flatMap(({ oid, schema, table, identity, columns }) => {
    const given = tables.find((each) => isSameTable(each, { schema, table }))
    const sent = columns.filter(({ name }) => given?.unpublishedColumns.includes(name) !== true)
    const types = sent.filter(({ typeOid }) => typeOid >= OWN_TYPES_BELOW)
    return [
      ...types.map((each) => encodeType({ oid: each.typeOid, schema: each.baseSchema, name: each.baseName })),
      encodeRelation({ oid, schema, table, replicaIdentity: identity, columns: sent }),
    ]
  })
  return { messages: messages.map((bytes) => Buffer.from(bytes)), lsn: endOfRecords(parseLsn(first.lsn)) }
}

/** The position is asked for with the snapshot, or after it. */
function shapesSql(tables: readonly ShapedTable[]): string {
  const wanted = tables.map((t) => `(${quoteLiteral(t.schema)}, ${quoteLiteral(t.table)})`).join(', ')
  return `
  SELECT c.oid::bigint::float8 AS "oid", n.nspname::text AS "schema", c.relname::text AS "table",
         CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' WHEN 'i' THEN 'index' ELSE 'default' END AS "identity",
         (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', a.attname, 'typeOid', a.atttypid::bigint, 'typeModifier', a.atttypmod,
                   'isKey', c.relreplident = 'f' OR coalesce(a.attnum = ANY (key.indkey), false),
                   'baseSchema', base.schema, 'baseName', base.name) ORDER BY a.attnum), '[]')
            FROM pg_attribute a, LATERAL (${baseTypeSql('a.atttypid')}) base
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS "columns",
         (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS "lsn"
    FROM (VALUES ${wanted}) AS wanted(nspname, relname)
    JOIN pg_namespace n ON n.nspname = wanted.nspname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
    LEFT JOIN pg_index key ON key.indrelid = c.oid
         AND CASE c.relreplident WHEN 'i' THEN key.indisreplident ELSE key.indisprimary END`
}
