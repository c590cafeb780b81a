/** Stage 5, source. Tables by name, and what is wanted of them. */

/** A table by its full name. */
export interface QualifiedTable {
  readonly schema: string
  readonly table: string
}

/** Whether two names are one table. */
export function isSameTable(a: QualifiedTable, b: QualifiedTable): boolean {
  return a.schema === b.schema && a.table === b.table
}

/**
 * What a table shall log of a row's former self: everything, or what it logs already. Under `keep` updates and
 * deletes have no `old` unless the table has REPLICA IDENTITY FULL by itself.
 */
export type IdentityMode = 'full' | 'keep'

/** A table a model is to be read from. */
export interface TableName extends QualifiedTable {
  readonly model: string
  /** @default 'full' */
  readonly replicaIdentity?: IdentityMode | undefined
  /** Columns of its String fields, which show the text of whatever type the column has. @default none */
  readonly textColumns?: readonly string[] | undefined
  /** Columns of its fields. @default all that the table has */
  readonly columns?: readonly string[] | undefined
  /** Whether set-up goes on without it where PostgreSQL writes no changes of it. @default false */
  readonly isOptional?: boolean | undefined
}
