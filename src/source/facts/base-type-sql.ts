/** Stage 5, source. What a column's type is based on, by the catalog: a domain is read as that. */

/** A query for (name, schema, type) of the type that is no domain any more; `oid` is an expression. `type` is without modifiers. */
export function baseTypeSql(oid: string): string {
  return `WITH RECURSIVE chain AS (
                SELECT ${oid} AS oid UNION ALL
                SELECT t.typbasetype FROM chain JOIN pg_type t ON t.oid = chain.oid WHERE t.typtype = 'd'
              ) SELECT t.typname AS name, tn.nspname AS schema, format_type(t.oid, NULL) AS type
                  FROM chain JOIN pg_type t ON t.oid = chain.oid AND t.typtype <> 'd'
                  JOIN pg_namespace tn ON tn.oid = t.typnamespace`
}
