/** Stage 5, source. What set-up is asked for, and what it answers with. */
import type { QualifiedTable, TableName } from './database-facts.ts'

/** One thing to do, and why. */
export interface SetupStep {
  readonly kind: 'replica-identity' | 'publication' | 'slot'
  readonly sql: string
  readonly why: string
}

/** What is wanted. */
export interface SetupGoal {
  readonly tables: readonly TableName[]
  readonly publication: string
  readonly slot: string
  /**
   * Tables of implicit many-to-many relations. They are not published, but where the publication has them
   * (FOR ALL TABLES) they are prepared, so that the application can still delete from them.
   */
  readonly joinTables?: readonly QualifiedTable[] | undefined
}
