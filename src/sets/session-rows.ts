/** Sets, between stages 6 and 7. Sessions that are rows: what says which, and what a server asks. Types only. */
import type { RowcastError } from '../errors.ts'

/** Which rows are sessions. */
export interface SessionsOptions<Model extends string = string, Rule extends object = object> {
  /** The model whose rows they are. It need not be live, nor in GraphQL. */
  readonly model: Model
  /**
   * The row of the client that `context` let in, in the shape of Prisma's `where`, by its own columns: `({ sessionId }) => ({ id:
   * sessionId })`, with whatever else has to hold of it: `{ id: sessionId, revokedAt: null }`. Null for a client that has none, and needs none.
   * It names one row at the most.
   */
  of(context: never): Rule | null | Promise<Rule | null>
}

/** A row that somebody's session is. Opaque. */
export interface SessionRow {
  readonly isSessionRow: true
}

/** What a server asks of them. */
export interface SessionRows {
  /**
   * The row of a client, as the database has it; null where the client needs none.
   * @throws SESSION_REVOKED where there is no such row, POLICY_FAILED, CONTEXT_TIMEOUT
   */
  find(context: object): Promise<SessionRow | null>
  /**
   * Calls `onGone` once when the row is gone, or is none of those that `of` describes any more; never at once. Returns what ends the watch.
   */
  watch(row: SessionRow, onGone: (why: RowcastError) => void): () => void
}
