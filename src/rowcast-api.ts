/** The face of the library: what `createRowcast` takes and returns. Types only. */
import type { ScalingOptions } from './broker/broker-options.ts'
import type { Backlog, BusSubscription, OverflowPolicy, SubscriptionRequest } from './bus/bus.ts'
import type { BusObserver } from './bus/bus-observer.ts'
import type { ExplainRequest } from './bus/explain-delivery.ts'
import type { Explanation } from './bus/explanation.ts'
import type { RelatedWhere } from './bus/filter/related-where-type.ts'
import type { Where } from './bus/filter/where-type.ts'
import type { MessageRequest } from './bus/message-hub.ts'
import type { ModelCatalog, ModelTypeMap } from './catalog/model-catalog.ts'
import type { Change, ChangeAction } from './changes/change.ts'
import type { EmittedMessage } from './changes/emitted-message.ts'
import type { TransactionMetadata } from './changes/transaction-metadata.ts'
import type { RegisterOptions } from './config/register-options.ts'
import type { ModelPolicies } from './graphql/policy/model-policy.ts'
import type { Logger } from './logger.ts'
import type { MetadataSchema } from './metadata-schema.ts'
import type { FollowedModels } from './rowcast-followed.ts'
import type { LiveLists } from './rowcast-lists-api.ts'
import type { RowcastStatus } from './rowcast-status.ts'
import type { TransactionChanges } from './rowcast-transactions-api.ts'
import type { FirstRow, InitialRows } from './sets/first-row.ts'
import type { ListCostOptions } from './sets/list-bounds.ts'
import type {
  IncludableRelation,
  IncludedChange,
  IncludeOptions,
  RelatedChange,
  RelatedOptions,
} from './sets/related-change.ts'
import type { RelatedRowsCost, RelatedRowsRequest } from './sets/related-request.ts'
import type { RelatedRowsOptions } from './sets/related-rows-options.ts'
import type { EventSubscription, RowsRequest } from './sets/row-subscription.ts'
import type { ConnectionOptions } from './source/db/database-address.ts'
import type { DurabilityOptions, WireOptions } from './source/durability-options.ts'
import type { SetupStep } from './source/setup/setup-plan.ts'
import type { StopOptions } from './stop-parts.ts'

/** How to build a rowcast. */
export interface RowcastOptions<Types extends ModelTypeMap, Metadata = TransactionMetadata>
  extends ConnectionOptions,
    DurabilityOptions,
    WireOptions,
    ListCostOptions,
    RelatedRowsOptions,
    ScalingOptions {
  /** The `catalog` that `generator rowcast` wrote. */
  readonly catalog: ModelCatalog<Types>
  /** Replication slot: lower-case letters, digits, underscores. @default `rowcast_` and the database's name */
  readonly slot?: string | undefined
  /** Publication. @default 'rowcast' */
  readonly publication?: string | undefined
  /**
   * Checks what transactions say of themselves, and types `change.transaction.metadata`: any validator that speaks Standard Schema
   * and answers at once, `z.object({ actor: z.string() })`. What it does not take is null. @default any object of JSON
   */
  readonly metadata?: MetadataSchema<Metadata> | undefined
  /** Run `enable()` on each connection attempt, so that nobody has to call it. @default false */
  readonly enableOnStart?: boolean | undefined
  /** Where what happens is logged; `silentLogger` for silence. @default warnings and errors, on the console */
  readonly logger?: Logger | undefined
  /** Changes one subscription may leave waiting in memory; what follows is read from the retained log. @default 65_536 */
  readonly queueLengthMax?: number | undefined
  /**
   * What may wait in memory for all subscriptions together, in bytes of decoded changes, by estimate; those that leave
   * the most waiting are read to from the retained log first. @default an eighth of what the heap has left at the start, and at most 16 MiB
   */
  readonly heldBytesMax?: number | undefined
  /** What happens to one that leaves too much waiting: SUBSCRIBER_TOO_SLOW ends it once the log has moved on, or `conflate` keeps the latest change of each row. @default 'end' */
  readonly overflow?: OverflowPolicy | undefined
}

/** Whether a subscription begins with rows, and how. */
export type WantsRows = boolean | InitialRows

/** What a subscription may ask for. */
export interface SubscribeOptions<
  Action extends ChangeAction,
  Row extends object = object,
  Initial extends WantsRows = WantsRows,
> {
  /**
   * Begins with the rows that `where` describes, each as `action: 'READ'`, then `action: 'READY'` with the first cursor that can be
   * gone on after, then changes: put together, they are what `findMany` gives after each transaction. With `after` it goes on there
   * instead. Not with `action`, `old`, `new`, `changed`. @default false: changes only
   */
  readonly initial?: Initial | undefined
  /** One action or several; all when left out. The type of the changes narrows with it. */
  readonly action?: Action | readonly Action[] | undefined
  /** Which rows, in the shape of Prisma's `where`; the change reports rows that enter or leave them, too. */
  readonly where?: Where<Row> | undefined
  /** Conditions on the row before the change; only UPDATE and DELETE have one. */
  readonly old?: Where<Row> | undefined
  /** Conditions on the row after the change; only INSERT and UPDATE have one. */
  readonly new?: Where<Row> | undefined
  /** At least one of these fields differs. */
  readonly changed?: readonly (keyof Row & string)[] | undefined
  /**
   * Go on after the change with this cursor, or with `'earliest'` from the oldest change that is retained: what
   * a worker asks for that keeps its place; before `start()`, the oldest that the slot has. @default what commits from now on
   */
  readonly after?: string | undefined
  /** What happens when too many changes wait. @default the one of createRowcast */
  readonly overflow?: OverflowPolicy | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
}

/** What a subscription to several models may ask for. */
export type SeveralOptions<Action extends ChangeAction = ChangeAction> = Pick<
  SubscribeOptions<Action>,
  'action' | 'after' | 'signal'
>

/** Which changes of each model, by its name: `{ Order: { where: { … } }, OrderLine: {} }`. */
export type TransactionSelection<Types extends ModelTypeMap> = {
  readonly [M in ModelNameOf<Types>]?:
    | Pick<SubscribeOptions<ChangeAction, Types[M]['row']>, 'action' | 'where' | 'old' | 'new' | 'changed'>
    | undefined
}

/** Options of `subscribe`, whichever of its types they have. */
export type LooseSubscribeOptions = Omit<SubscribeOptions<ChangeAction>, 'where'> & {
  readonly where?: object | undefined
  readonly include?: readonly string[] | undefined
}

/** What `why()` is asked: a change, and a subscription that did not get it. */
export interface WhyOptions<Row extends object = object>
  extends Pick<SubscribeOptions<ChangeAction, Row>, 'action' | 'where' | 'old' | 'new' | 'changed'> {
  /** Of the change. */
  readonly cursor: string
}

/** Names of the models of a catalog. */
export type ModelNameOf<Types extends ModelTypeMap> = keyof Types & string

/** Live changes of a Prisma schema's models. */
export interface Rowcast<Types extends ModelTypeMap = ModelTypeMap, Metadata = TransactionMetadata>
  extends FollowedModels<Types>,
    LiveLists<Types, Metadata> {
  readonly catalog: ModelCatalog<Types>
  /** What `register()` was given about who may see what, for the GraphQL layer; `subscribe()` itself shows everything. */
  readonly policies: ModelPolicies
  /**
   * Makes a model live. Before `start()`, and once.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_REGISTERED_TOO_LATE, CATALOG_REGISTERED_TWICE with other options, CATALOG_BAD_SOFT_DELETE, CATALOG_BAD_POLICY
   */
  register<M extends ModelNameOf<Types>>(
    model: M,
    options?: RegisterOptions<Types[M]['row'], RelatedWhere<Types, M>>,
  ): Rowcast<Types, Metadata>
  /** Names of the registered models. */
  readonly models: readonly ModelNameOf<Types>[]
  isRegistered(model: string): boolean
  /**
   * Creates or repairs publication, replica identity FULL and slot for the registered models. Idempotent;
   * returns the steps it ran. Uses a short-lived connection of its own.
   * @throws SOURCE_… with the statement or setting to run
   */
  enable(): Promise<readonly SetupStep[]>
  /**
   * Stops, and takes away what `enable()` made: slot and publication are dropped, replica identities are as they were.
   * Cursors from before are no good afterwards. Returns the steps it ran; the command line has it as `rowcast disable`.
   * @throws SOURCE_SLOT_IN_USE while another process reads the slot, SOURCE_PERMISSION_DENIED, SOURCE_LOCK_TIMEOUT
   */
  disable(): Promise<readonly SetupStep[]>
  /** Starts the background worker and returns at once; it never throws into the application. */
  start(): void
  /** Resolves once changes flow. Waits as long as it takes: `status()` says what is in the way. */
  ready(): Promise<void>
  /**
   * Changes of one model from now on, or after a cursor, in commit order. Leave the loop or abort the signal to
   * end it.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_MODEL_NOT_REGISTERED, BAD_CURSOR, FIRST_ROWS_REFUSED at once; SUBSCRIBER_TOO_SLOW,
   * RESYNC_REQUIRED, FIRST_ROWS_FAILED and SERVER_STANDING_BY in the loop
   */
  subscribe<
    M extends ModelNameOf<Types>,
    Action extends ChangeAction = ChangeAction,
    Initial extends WantsRows = false,
  >(
    model: M,
    options?: SubscribeOptions<Action, Types[M]['row'], Initial>,
  ): AsyncIterableIterator<
    | Extract<Change<Types, M, Metadata>, { action: Action }>
    | (Initial extends false ? never : FirstRow<Types, M>)
  >
  /**
   * The same for rows that other rows decide about: `where` follows relations, up to three. Beside the writes of such rows come those
   * that related rows moved among them or out of them, as `action: 'READ'`; put together, it is what `findMany` gives after each
   * transaction. All models on the way are live. docs/live-sets.md says what it costs, and what is refused.
   * @throws BAD_FILTER, CATALOG_UNKNOWN_MODEL, BAD_CURSOR at once; FILTER_TOO_BROAD, SUBSCRIBER_TOO_SLOW, RESYNC_REQUIRED in the loop
   */
  subscribe<M extends ModelNameOf<Types>>(
    model: M,
    options: RelatedOptions<RelatedWhere<Types, M>> & { readonly initial: true },
  ): AsyncIterableIterator<RelatedChange<Types, M, Metadata> | FirstRow<Types, M>>
  subscribe<M extends ModelNameOf<Types>>(
    model: M,
    options: RelatedOptions<RelatedWhere<Types, M>>,
  ): AsyncIterableIterator<RelatedChange<Types, M, Metadata>>
  /**
   * The same for rows that hear of related ones: `subscribe('Order', { include: ['lines'] })`. An order whose lines change comes as
   * `action: 'READ'` with `cause: 'INCLUDED'` and `via`, once per transaction, or with the event of its own write: docs/live-sets.md.
   * @throws BAD_FILTER, CATALOG_UNKNOWN_MODEL, BAD_CURSOR at once; FILTER_TOO_BROAD, SUBSCRIBER_TOO_SLOW, RESYNC_REQUIRED in the loop
   */
  subscribe<
    M extends ModelNameOf<Types>,
    Relation extends IncludableRelation<Types, M>,
    Initial extends boolean = false,
  >(
    model: M,
    options: IncludeOptions<RelatedWhere<Types, M>, Relation, Initial>,
  ): AsyncIterableIterator<
    IncludedChange<Types, M, Relation, Metadata> | (Initial extends false ? never : FirstRow<Types, M>)
  >
  /**
   * Changes of several models, in commit order: `subscribe(['Order', 'OrderLine'])`. Narrow them by `model`.
   * @throws BAD_FILTER without a model, and what a subscription to one throws
   */
  subscribe<M extends ModelNameOf<Types>, Action extends ChangeAction = ChangeAction>(
    models: readonly M[],
    options?: SeveralOptions<Action>,
  ): AsyncIterableIterator<Extract<Change<Types, M, Metadata>, { action: Action }>>
  /**
   * Whole transactions, in commit order: of each the changes that are asked for, model by model. A large one comes in parts.
   * @throws as `subscribe` with several models
   */
  transactions<Of extends TransactionSelection<Types>>(
    of: Of,
    options?: Pick<SeveralOptions, 'after' | 'signal'>,
  ): AsyncIterableIterator<TransactionChanges<Types, keyof Of & ModelNameOf<Types>, Metadata>>
  /** The same with what GraphQL needs beside the change; untyped. */
  subscribeDeliveries(request: SubscriptionRequest): BusSubscription
  /** The same with the rows there are before it. @throws FIRST_ROWS_REFUSED */
  subscribeRows(request: RowsRequest): EventSubscription
  /** The same for a filter or a policy that asks other rows. @throws BAD_FILTER, POLICY_FAILED where it cannot be followed */
  subscribeRelated(request: RelatedRowsRequest): EventSubscription
  /**
   * The cursor for now: a query made after it resolved sees every change that stands before it. Asks the
   * database what is visible, through the Prisma Client if there is one. Waits until changes flow, `answerTimeoutMs`
   * at most. Rejects with NO_STREAM_YET, also where the database does not answer: `cause` is why. Or, where another process has the slot,
   * with SERVER_STANDING_BY.
   */
  changeCursor(): Promise<string>
  /**
   * Null while a subscription without `after` gets everything that commits from now on. Before the first stream, and
   * after a gap, it begins only with the next stream: resolves then. Rejects with NO_STREAM_YET after `answerTimeoutMs`,
   * and with SERVER_STANDING_BY where another process has the slot, and has had it for `standbyPatienceMs`.
   */
  whenLive(): Promise<void> | null
  /** Resolves when new queries see the transaction; after two seconds in any case. */
  whenVisible(xid: number): Promise<void>
  /** Whether PostgreSQL sends the whole old row of the model's changes; true while that is not known. */
  hasOldImages(model: string): boolean
  /**
   * Why a subscription with these options gets the change at a cursor, or does not. Names conditions, never values. Where they follow
   * relations, it reads the related rows, and says of each key which change put it in or took it out.
   * @throws BAD_CURSOR, BAD_FILTER, CATALOG_UNKNOWN_MODEL
   */
  why<M extends ModelNameOf<Types>>(model: M, options: WhyOptions<Types[M]['row']>): Promise<Explanation>
  /** The same for the GraphQL layer, which knows of the viewer's rights. */
  explain(request: Omit<ExplainRequest, 'catalog'>): Promise<Explanation>
  /**
   * What applications write with `pg_logical_emit_message`, from now on. Those of a transaction come once it has
   * committed, after the changes it had made before; the others at once. Leave the loop or abort the signal to end it.
   * @throws SUBSCRIBER_TOO_SLOW in the loop
   */
  messages(request?: MessageRequest): AsyncIterableIterator<EmittedMessage>
  status(): RowcastStatus
  /** Changes that wait in the queues of open subscriptions, by model. Looks at each queue: for now and then. */
  backlogs(): ReadonlyMap<string, Backlog>
  /** What conditions on related rows hold in this process, and what reading them has cost so far; without those of subscriptions that catch up. */
  relatedCost(): RelatedRowsCost
  /** Notifies the observer of what happens from now on; for metrics and traces. It must neither wait nor throw. */
  observe(observer: BusObserver): void
  /**
   * Confirms what was delivered, closes the replication connection, ends all subscriptions. Those that come later end with
   * SERVER_STOPPING: a rowcast does not start twice.
   */
  stop(options?: StopOptions): Promise<void>
}
