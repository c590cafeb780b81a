/** Beside the spine, client. What a live list is asked for, and what it gives. */
import type { ListChange, ListShape } from './apply-change.ts'
import type { ChangeClient } from './change-client.ts'
import type { Settled, SettledOptions } from './own-mutations.ts'
import type { ChangeFailure, ResumableRequest } from './resumable-subscription.ts'

/** How a list is loaded and kept up. */
export interface LiveListOptions<Row extends object, Variables = never> extends ListShape<Row> {
  /** Of graphql-ws, with `retryAttempts: Infinity`, `retryWait` and `shouldRetry: () => true`; or of `createSseClient`. */
  readonly client: ChangeClient
  /**
   * Queries the rows, past any cache. Called at the start, after each RESYNC_REQUIRED, after a change that failed, and
   * where a cut list cannot be followed. Not needed where `request` has `initial: true`: then its first rows are the list, and it
   * subscribes again where it would be loaded again. @default none: `request` has `initial: true`
   */
  readonly load?: (() => Promise<readonly Row[]>) | undefined
  /**
   * The rows that `load` gives at most: when it gives so many, there may be more, and the list is not complete.
   * @default 50 or 200 // as many as generated queries give
   */
  readonly take?: number | undefined
  /** The subscription: one root field that takes `after: $after` and selects `cursor`, `action`, `key` and `new`. */
  readonly request: ResumableRequest<LiveListData<Row>, Variables>
  /** Called for each change once it is applied, for what the rows do not show, such as highlighting; `isOwn`: it is of a mutation of this list. */
  readonly onChange?: ((change: ListChange<Row>, about: { readonly isOwn: boolean }) => void) | undefined
  /** Called for each change that failed as a whole or in part; the row stays as it was until the list is loaded again. */
  readonly onFailure?: ((failure: ChangeFailure) => void) | undefined
  /** The list is loaded again at most once in so long, however much asks for it. @default 1_000 // ms */
  readonly reloadIntervalMs?: number | undefined
}

/** The data of its subscription: one root field, which is a change. */
export interface LiveListData<Row extends object> {
  readonly [changed: string]: Pick<ListChange<Row>, 'new'> | null
}

/**
 * `loading`: the rows are being queried. `live`: the rows are as the database is, give or take the way here.
 * `reconnecting`: the rows are as they were; what changed since will follow. `ended`: for good.
 */
export type LiveListStatus = 'loading' | 'live' | 'reconnecting' | 'ended'

/** A moment of a list; another object whenever something differs. */
export interface LiveListState<Row extends object> {
  readonly rows: readonly Row[]
  readonly status: LiveListStatus
  /** False where the query may have left rows out: it gave as many as it gives at most. */
  readonly isComplete: boolean
  /** Why it does not load, why a row may not be as the database is, or why it has ended. */
  readonly error: unknown
}

/** A list while it lives. */
export interface LiveList<Row extends object> {
  readonly state: LiveListState<Row>
  /** Calls back after each difference, at most once in a turn of the event loop. Returns what ends that. */
  listen(listener: () => void): () => void
  /** An id for a mutation of this client, for the metadata of its transaction: its change is known by it. */
  newMutationId(): string
  /**
   * Shows changes before the server has them, until the change of the mutation comes, in one step with it. Give rows that have no
   * key yet one that no row has. @throws MutationError
   */
  show(mutationId: string, changes: ListChange<Row> | readonly ListChange<Row>[]): void
  /** The mutation has failed: takes back what is shown of it. */
  revert(mutationId: string): void
  /**
   * Resolves with `change` once the change of the mutation has come, and with `reload` where the rows had to be loaded again meanwhile:
   * call it once the server has answered. What it waits for does not come where the list shows nothing of the transaction. @throws MutationError
   */
  settled(mutationId: string, options?: SettledOptions): Promise<Settled>
  /** Ends it; the client stays open. */
  stop(): void
}
