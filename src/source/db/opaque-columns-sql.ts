/**
 * Stage 5, source. Columns whose binary form nobody reads but their own database: what a String shows of them has to be asked
 * for as text. Source: PostgreSQL manual, "pg_type", typsend.
 */
import { EXTENSION_TYPES, TEXT_LIKE_TYPES, TYPE_TABLE } from '../../catalog/values/type-table.ts'
import { quoteLiteral } from '../../wire/quote.ts'

const OWN_TYPES = [...TYPE_TABLE, ...TEXT_LIKE_TYPES]
const OWN_OIDS = OWN_TYPES.flatMap(({ oid, arrayOid }) => [oid, arrayOid]).filter((oid) => oid !== null)
const NAMES = [...OWN_TYPES, ...EXTENSION_TYPES].map(({ pgType }) => quoteLiteral(pgType))

/** Their bytes are their text. */
const TEXT_SENDERS = [
  'textsend',
  'varcharsend',
  'bpcharsend',
  'namesend',
  'enum_send',
  'xml_send',
  'cstring_send',
]

/**
 * Names of such columns of the table whose OID is `oid`, as an array. A domain counts as its base and an array as its elements; of
 * an array of a domain the stream does not name the base.
 */
export function opaqueColumnsSql(oid: string): string {
  return `ARRAY(
    SELECT a.attname::text FROM pg_attribute a, LATERAL (
      WITH RECURSIVE chain(oid, in_array, is_hidden) AS (
        SELECT a.atttypid, false, false
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
               chain.in_array OR t.typtype <> 'd', chain.is_hidden OR (chain.in_array AND t.typtype = 'd')
          FROM chain JOIN pg_type t ON t.oid = chain.oid
         WHERE t.typtype = 'd' OR t.typsend = 'pg_catalog.array_send'::regproc
      )
      SELECT FROM chain JOIN pg_type t ON t.oid = chain.oid LEFT JOIN pg_proc send ON send.oid = t.typsend
       WHERE t.typtype <> 'd' AND t.typsend <> 'pg_catalog.array_send'::regproc
         AND NOT coalesce(send.proname IN (${TEXT_SENDERS.map(quoteLiteral).join(', ')}), false)
         AND (chain.is_hidden OR t.typname NOT IN (${NAMES.join(', ')}))
    ) opaque
     WHERE a.attrelid = ${oid} AND a.attnum > 0 AND NOT a.attisdropped
       AND a.atttypid NOT IN (${[...new Set(OWN_OIDS)].join(', ')}))`
}
