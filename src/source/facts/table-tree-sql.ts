/**
 * Stage 5, source. Which tables hang below others: those that inherit from a table hold rows that it shows as its own, partitions log
 * the changes of a partitioned one. One that is being detached belongs to nothing any more. Without pg_partition_tree, which waits
 * for whoever works on a partition. Source: get_partition_ancestors_worker of PostgreSQL; its manual, "pg_inherits".
 */

/** Which of them: `children` of ordinary tables, which inherit, or `partitions`, of all levels. */
export type TableTree = 'children' | 'partitions'

const KIND_OF_TOP: Readonly<Record<TableTree, string>> = { children: 'r', partitions: 'p' }

/** What to walk. */
export interface TableTreeRequest {
  /** The term's name. */
  readonly as: string
  readonly trees: TableTree
  /** A relation with `oid`, `relkind`, and the columns of `keeps`. */
  readonly below: string
  /** Columns that each table has of the one that it hangs below. */
  readonly keeps: readonly string[]
}

/** A term of WITH RECURSIVE: `as(…keeps, oid)`, without the tables they hang below. */
export function tableTreeSql({ as, trees, below, keeps }: TableTreeRequest): string {
  const of = (relation: string): string => keeps.map((each) => `${relation}.${each}, `).join('')
  return `${as}(${of('').replaceAll('.', '')}oid) AS (
    SELECT ${of('top')}i.inhrelid FROM ${below} top JOIN pg_inherits i ON i.inhparent = top.oid
       AND top.relkind = '${KIND_OF_TOP[trees]}' AND NOT i.inhdetachpending
    UNION
    SELECT ${of('up')}i.inhrelid FROM ${as} up JOIN pg_inherits i ON i.inhparent = up.oid AND NOT i.inhdetachpending
  )`
}
