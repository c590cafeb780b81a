/**
 * Beside the spine, adapters. What `rowcast/tanstack-db` exports: a collection of TanStack DB whose rows are those of a live list. TanStack DB is the
 * application's: what is needed of it is written down here, so that no version of it is.
 */
import { keyReader } from '../client/apply-change.ts'
import { createLiveList } from '../client/live-list.ts'
import type { LiveList, LiveListOptions, LiveListState } from '../client/live-list-api.ts'
import type { SettledOptions, TransactionId } from '../client/own-mutations.ts'

/** What a handler gets of one change that the application makes: a part of TanStack DB's `PendingMutation`. */
export interface CollectionMutation<Row extends object> {
  readonly type: 'insert' | 'update' | 'delete'
  readonly key: unknown
  /** The row after; of `delete` the row that goes. */
  readonly modified: Row
  readonly changes: Partial<Row>
  readonly metadata: unknown
}

/** What a handler gets. */
export interface CollectionMutations<Row extends object> {
  readonly transaction: { readonly mutations: readonly CollectionMutation<Row>[] }
  /** For the metadata of the transaction on the server: docs/metadata.md. */
  readonly mutationId: string
}

/**
 * Has the server write it, in one transaction. What the application did stays shown until that has come, and is taken back where this rejects. A server
 * that does not write metadata says which transaction it was: `{ txid }`, of `pg_current_xact_id()`, or several: `{ txid: [1, 2] }`; select `transaction { last xid }` then.
 */
export type MutationHandler<Row extends object> = (mutations: CollectionMutations<Row>) => Promise<unknown>

/** Where the rows come from, and who writes them. */
export interface RowcastCollectionOptions<Row extends object, Variables = never>
  extends Omit<LiveListOptions<Row, Variables>, 'sort'> {
  /** Of the collection, in messages of TanStack DB. @default one that TanStack DB makes */
  readonly id?: string | undefined
  readonly onInsert?: MutationHandler<Row> | undefined
  readonly onUpdate?: MutationHandler<Row> | undefined
  readonly onDelete?: MutationHandler<Row> | undefined
  /** How long the change of a mutation is waited for once its handler is done. @default 30_000 // ms */
  readonly settledWithinMs?: number | undefined
}

/** `collection.utils`. */
export type RowcastCollectionUtils<Row extends object> = {
  /** How it stands with the rows; null while the collection does not sync. */
  readonly liveState: () => LiveListState<Row> | null
}

/** What `sync` is given: a part of TanStack DB's. */
interface SyncRun<Row extends object> {
  readonly begin: () => void
  readonly write: (message: SyncMessage<Row>) => void
  readonly commit: () => unknown
  readonly markReady: () => void
  readonly markError: (error?: unknown) => void
}

interface SyncMessage<Row extends object> {
  readonly type: 'insert' | 'update' | 'delete'
  readonly value: Row
}

/** What TanStack DB passes to a handler. */
type OfTanStack<Row extends object> = Omit<CollectionMutations<Row>, 'mutationId'>

/** A run of `sync`, from the first subscriber of the collection to the last. */
interface Run<Row extends object> {
  readonly list: LiveList<Row>
  /** Writes into the collection what the list has and the collection has not. */
  readonly bringUp: () => void
}

/**
 * Options for `createCollection` of TanStack DB: the rows of a live list. What the application does to the collection is shown at once, and goes in
 * one step with its change: select `transaction { last metadata { mutationId } }`.
 */
export function rowcastCollectionOptions<Row extends object, Variables = never>(
  options: RowcastCollectionOptions<Row, Variables>,
) {
  const { id, onInsert, onUpdate, onDelete, settledWithinMs, ...ofList } = options
  const getKey = collectionKey<Row>(options)
  let run: Run<Row> | null = null
  const handler = (save: MutationHandler<Row> | undefined) =>
    save && (({ transaction }: OfTanStack<Row>) => settle(run, { transaction }, save, settledWithinMs))
  const sync = (given: SyncRun<Row>) => {
    const list = createLiveList<Row>(ofList as unknown as LiveListOptions<Row>)
    const started: Run<Row> = { list, bringUp: collectionWriter(list, getKey, given) }
    run = started
    const unlisten = list.listen(started.bringUp)
    return () => {
      unlisten()
      list.stop()
      if (run === started) run = null
    }
  }
  const handlers = {
    ...(onInsert && { onInsert: handler(onInsert) }),
    ...(onUpdate && { onUpdate: handler(onUpdate) }),
    ...(onDelete && { onDelete: handler(onDelete) }),
  }
  const utils: RowcastCollectionUtils<Row> = { liveState: () => run?.list.state ?? null }
  return {
    ...(id === undefined ? {} : { id }),
    getKey,
    sync: { sync, rowUpdateMode: 'full' as const },
    ...(handlers as Handlers<Row>),
    utils,
  }
}

interface Handlers<Row extends object> {
  onInsert?: (given: OfTanStack<Row>) => Promise<void>
  onUpdate?: (given: OfTanStack<Row>) => Promise<void>
  onDelete?: (given: OfTanStack<Row>) => Promise<void>
}

/** Saves it, and waits until the collection has what came of it: TanStack DB then drops what it showed meanwhile. */
async function settle<Row extends object>(
  run: Run<Row> | null,
  given: OfTanStack<Row>,
  save: MutationHandler<Row>,
  timeoutMs: number | undefined,
): Promise<void> {
  // A collection that does not sync has nothing to wait for: it begins with what is there by then.
  const mutationId = run?.list.newMutationId() ?? ''
  const xid = txidOf(await save({ ...given, mutationId }))
  if (run === null || isStopped(run)) return
  await run.list.settled(mutationId, { timeoutMs, xid }).catch((error: unknown) => {
    // Nobody looks any more.
    if (run === null || !isStopped(run)) throw error
  })
  run.bringUp()
}

/** What the answer of a handler says of its transactions. @throws TypeError for what is no transaction id */
function txidOf(answer: unknown): SettledOptions['xid'] {
  const txid = typeof answer === 'object' && answer !== null && 'txid' in answer ? answer.txid : null
  if (txid == null) return null
  const several: readonly unknown[] = Array.isArray(txid) ? txid : [txid]
  if (several.every(isTransactionId)) return several
  throw new TypeError('`txid` of the answer is no transaction id, and no list of them.')
}

function isTransactionId(value: unknown): value is TransactionId {
  return typeof value === 'bigint' || /^\d+$/.test(String(value))
}

function isStopped<Row extends object>({ list }: Run<Row>): boolean {
  return list.state.status === 'ended' && list.state.error === null
}

/** Of one field its value, as TanStack DB has keys; of several one text. */
function collectionKey<Row extends object>({ key }: Pick<LiveListOptions<Row>, 'key'>) {
  const keyOf = keyReader<Row>({ key })
  return (row: Row): string | number => {
    const value: unknown = typeof key === 'string' ? row[key] : undefined
    return typeof value === 'string' || typeof value === 'number' ? value : (keyOf(row) ?? '')
  }
}

/** What brings a collection to what a list shows, in one transaction of the collection each time. */
function collectionWriter<Row extends object>(
  list: LiveList<Row>,
  getKey: (row: Row) => string | number,
  { begin, write, commit, markReady, markError }: SyncRun<Row>,
): () => void {
  let written: ReadonlyMap<string | number, Row> = new Map()
  let isReady = false
  let hasFailed = false
  return () => {
    const { rows, status, error } = list.state
    const next = new Map(rows.map((row) => [getKey(row), row] as const))
    const messages = messagesBetween(written, next)
    if (messages.length > 0) {
      begin()
      for (const message of messages) write(message)
      commit()
      written = next
    }
    if (hasFailed) return
    if (status === 'ended') {
      // Also behind its first rows: what it has is not kept up any more.
      hasFailed = true
      markError(error)
    } else if (!isReady && status !== 'loading') {
      isReady = true
      markReady()
    }
  }
}

function messagesBetween<Row extends object>(
  before: ReadonlyMap<string | number, Row>,
  after: ReadonlyMap<string | number, Row>,
): readonly SyncMessage<Row>[] {
  const gone = [...before].filter(([key]) => !after.has(key))
  const come = [...after].filter(([key, row]) => before.get(key) !== row)
  return [
    ...gone.map(([, value]) => ({ type: 'delete' as const, value })),
    ...come.map(([key, value]) => ({
      type: before.has(key) ? ('update' as const) : ('insert' as const),
      value,
    })),
  ]
}
