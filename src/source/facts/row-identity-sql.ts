/** Stage 5, source. SQL for what identifies the rows of a table `c`. Source: PostgreSQL manual, "ALTER TABLE", REPLICA IDENTITY. */

/**
 * Whether the identity of table `c` finds a row. Source: RelationGetReplicaIndex of PostgreSQL, which ignores a
 * deferrable primary key.
 */
export const HAS_ROW_IDENTITY_SQL = `
  c.relreplident = 'f' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
       AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)`

/** Name of the index that is the identity of table `c`. */
export const IDENTITY_INDEX_SQL = `
  (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisreplident AND c.relreplident = 'i')`

/** Name of an index that could be the identity of table `c`; `and` is a condition on index `i`. */
export const uniqueIndexSql = (and = 'true'): string => `
  (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                         AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)
      AND ${and}
    ORDER BY x.relname LIMIT 1)`
