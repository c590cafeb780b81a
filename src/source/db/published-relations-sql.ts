/**
 * Stage 5, source. Which tables a publication publishes, read from the catalogs alone. The view pg_publication_tables says
 * the same, but opens the tables for it: one that is held in ACCESS EXCLUSIVE (VACUUM FULL, LOCK TABLE, a long ALTER TABLE)
 * would keep every look waiting, and with it the changes of all models. For the same reason nothing here may call
 * pg_partition_tree, pg_get_expr, pg_get_indexdef or pg_relation_size; pg_partition_ancestors takes no lock.
 * Source: pg_get_publication_tables in pg_publication.c, is_publishable_class, filter_partitions.
 */

/** The first version with FOR TABLES IN SCHEMA, column lists and row filters. */
export const SCHEMAS_VERSION_MIN = 150_000
/** The first version whose pgoutput can send generated columns. */
const GENERATED_VERSION_MIN = 180_000
/** FirstNormalObjectId: OIDs below it are of PostgreSQL's own tables. */
const OWN_TABLES_BELOW = 16_384

/** What FOR ALL TABLES and FOR TABLES IN SCHEMA take in of table `c`. */
const IS_PUBLISHABLE_SQL = `c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= ${OWN_TABLES_BELOW}`

/**
 * A query for (pubid, relid, attnums, sends_generated): the tables under whose names changes are sent, with the numbers of
 * the columns in their list (NULL: there is no list). `which` is a condition on the publication `p`.
 */
export function publishedRelationsSql(serverVersion: number, which: string): string {
  const hasSchemas = serverVersion >= SCHEMAS_VERSION_MIN
  const ofSchemas = hasSchemas
    ? `UNION SELECT p.pubid, p.viaroot, c.oid FROM pub p JOIN pg_publication_namespace pn ON pn.pnpubid = p.pubid
         JOIN pg_class c ON c.relnamespace = pn.pnnspid AND ${IS_PUBLISHABLE_SQL}`
    : ''
  const isOfSchema = hasSchemas
    ? `EXISTS (SELECT FROM pg_publication_namespace pn JOIN pg_class c ON c.relnamespace = pn.pnnspid
                WHERE pn.pnpubid = p.pubid AND c.oid = t.relid)`
    : 'false'
  // The view of version 14 lists a partition beside its root, whose name the stream uses for both.
  const isTakenByRoot = `p.viaroot AND EXISTS (SELECT FROM pg_partition_ancestors(t.relid) up JOIN logged o ON o.relid = up.relid AND o.pubid = t.pubid
                              WHERE up.relid <> t.relid)`
  return `
    WITH RECURSIVE pub AS (
      SELECT p.oid AS pubid, p.pubviaroot AS viaroot, p.puballtables AS has_all,
             coalesce(to_jsonb(p) ->> 'pubgencols' = 's', false) AS sends_generated
        FROM pg_publication p WHERE ${which}
    ), member(pubid, viaroot, relid) AS (
      SELECT p.pubid, p.viaroot, c.oid FROM pub p JOIN pg_class c ON p.has_all AND ${IS_PUBLISHABLE_SQL}
         AND CASE WHEN p.viaroot THEN NOT c.relispartition ELSE c.relkind = 'r' END
      UNION SELECT p.pubid, p.viaroot, pr.prrelid FROM pub p JOIN pg_publication_rel pr ON pr.prpubid = p.pubid AND NOT p.has_all
      ${ofSchemas}
    ), below(pubid, viaroot, relid) AS (
      SELECT pubid, viaroot, relid FROM member
      UNION SELECT b.pubid, false, i.inhrelid FROM below b JOIN pg_class c ON c.oid = b.relid AND c.relkind = 'p' AND NOT b.viaroot
              JOIN pg_inherits i ON i.inhparent = b.relid AND NOT i.inhdetachpending
    ), logged AS (
      SELECT b.pubid, b.relid FROM below b JOIN pg_class c ON c.oid = b.relid WHERE b.viaroot OR c.relkind <> 'p'
    )
    SELECT t.pubid, t.relid, p.sends_generated,
           CASE WHEN NOT p.has_all AND NOT ${isOfSchema} THEN (
             SELECT translate(to_jsonb(pr) ->> 'prattrs', '[]', '{}')::int2[] FROM pg_publication_rel pr
              WHERE pr.prpubid = t.pubid AND pr.prrelid = t.relid) END AS attnums
      FROM logged t JOIN pub p USING (pubid) WHERE NOT (${isTakenByRoot})`
}

/**
 * Whether the stream has column `a` of a row `t` of the query above. Before version 18 pgoutput leaves generated columns out,
 * those of a column list too.
 */
export function isColumnSentSql(serverVersion: number): string {
  if (serverVersion < GENERATED_VERSION_MIN)
    return `(a.attgenerated = '' AND (t.attnums IS NULL OR a.attnum = ANY (t.attnums)))`
  return `CASE WHEN t.attnums IS NULL THEN a.attgenerated = '' OR coalesce(t.sends_generated, false) AND a.attgenerated = 's'
               ELSE a.attnum = ANY (t.attnums) END`
}
