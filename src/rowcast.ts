/**
 * The composition root of the library: wires the stages from socket to bus and gives them a typed face.
 */
import type { BusSubscription, SubscriptionRequest } from './bus/bus.ts'
import { createMemoryBus } from './bus/memory-bus.ts'
import type { ModelCatalog, ModelSpec, ModelTypeMap } from './catalog/model-catalog.ts'
import { createRelationRegistry } from './catalog/relation-registry.ts'
import type { Change, ChangeAction } from './changes/change.ts'
import { RowcastError } from './errors.ts'
import { type Logger, silentLogger } from './log.ts'
import { nearestName } from './nearest-name.ts'
import { type ConnectionOptions, resolveConnectionTarget } from './source/connection-target.ts'
import {
  createReplicationSource,
  type ReplicationSource,
  type SourceStatus,
} from './source/replication-source.ts'
import type { SetupStep } from './source/setup-plan.ts'

/** How to build a rowcast. */
export interface RowcastOptions<Types extends ModelTypeMap> extends ConnectionOptions {
  /** The `catalog` that `generator rowcast` wrote. */
  readonly catalog: ModelCatalog<Types>
  /** Replication slot: lower-case letters, digits, underscores. @default 'rowcast' */
  readonly slot?: string | undefined
  /** Publication. @default 'rowcast' */
  readonly publication?: string | undefined
  /** Run `enable()` on each connection attempt, so that nobody has to call it. @default false */
  readonly enableOnStart?: boolean | undefined
  /** Ask PostgreSQL for values in binary form, which is cheaper to read. @default true */
  readonly binary?: boolean | undefined
  /** @default a logger that says nothing */
  readonly logger?: Logger | undefined
  /** Changes one subscription may leave waiting before it ends with SUBSCRIBER_TOO_SLOW. @default 65_536 */
  readonly queueLengthMax?: number | undefined
  /** @default 10_000 // 10 s */
  readonly connectTimeoutMs?: number | undefined
}

/** What a subscription may ask for. */
export interface SubscribeOptions<Action extends ChangeAction> {
  /** One action or several; all when left out. The type of the changes narrows with it. */
  readonly action?: Action | readonly Action[] | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
}

/** Names of the models of a catalog. */
export type ModelNameOf<Types extends ModelTypeMap> = keyof Types & string

/** Live changes of a Prisma schema's models. */
export interface Rowcast<Types extends ModelTypeMap = ModelTypeMap> {
  readonly catalog: ModelCatalog<Types>
  /**
   * Makes a model live. Before `start()`.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_REGISTERED_TOO_LATE
   */
  register(model: ModelNameOf<Types>): Rowcast<Types>
  /** Names of the registered models. */
  readonly models: readonly ModelNameOf<Types>[]
  isRegistered(model: string): boolean
  /**
   * Creates or repairs publication, replica identity FULL and slot for the registered models. Idempotent;
   * returns the steps it ran. Uses a short-lived connection of its own.
   * @throws SOURCE_… with the statement or setting to run
   */
  enable(): Promise<readonly SetupStep[]>
  /** Starts the background worker and returns at once; it never throws into the application. */
  start(): void
  /** Resolves once changes flow. Waits as long as it takes: `status()` says what is in the way. */
  ready(): Promise<void>
  /**
   * Changes of one model from now on, in commit order. Leave the loop or abort the signal to end it.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_MODEL_NOT_REGISTERED at once; SUBSCRIBER_TOO_SLOW in the loop
   */
  subscribe<M extends ModelNameOf<Types>, Action extends ChangeAction = ChangeAction>(
    model: M,
    options?: SubscribeOptions<Action>,
  ): AsyncIterableIterator<Extract<Change<Types, M>, { action: Action }>>
  /** The same with what GraphQL needs beside the change; untyped. */
  subscribeDeliveries(request: SubscriptionRequest): BusSubscription
  status(): SourceStatus
  /** Confirms what was delivered, closes the replication connection, ends all subscriptions. */
  stop(): Promise<void>
}

const SLOT_NAME = /^[a-z0-9_]{1,63}$/

/**
 * Creates a rowcast. Nothing connects until `enable()` or `start()`.
 * @throws CONFIG_NO_DATABASE, CONFIG_BAD_DATABASE_URL, CONFIG_BAD_NAME
 */
export function createRowcast<Types extends ModelTypeMap>(options: RowcastOptions<Types>): Rowcast<Types> {
  const { catalog } = options
  const slot = options.slot ?? 'rowcast'
  const publication = options.publication ?? 'rowcast'
  if (!SLOT_NAME.test(slot))
    throw new RowcastError('CONFIG_BAD_NAME', `"${slot}" cannot be the name of a slot.`)
  const { target, schema } = resolveConnectionTarget(options)
  const bus = createMemoryBus({ queueLengthMax: options.queueLengthMax })
  const registered = new Map<ModelNameOf<Types>, ModelSpec>()
  let source: ReplicationSource | null = null

  function modelOf(model: string): ModelSpec {
    const spec = Object.hasOwn(catalog.models, model)
      ? catalog.models[model as ModelNameOf<Types>]
      : undefined
    if (spec !== undefined) return spec
    const nearest = nearestName(model, Object.keys(catalog.models))
    throw new RowcastError('CATALOG_UNKNOWN_MODEL', `The Prisma schema has no model "${model}".`, {
      mend:
        nearest === null
          ? undefined
          : `Did you mean "${nearest}"? If the model is new, run \`npx prisma generate\`.`,
    })
  }

  /** The worker is built when first needed: by then the models are known. */
  function buildSource(): ReplicationSource {
    if (registered.size === 0) throw new RowcastError('SOURCE_NO_MODELS', 'No model is registered.')
    const models = [...registered.values()]
    return createReplicationSource({
      target,
      goal: {
        slot,
        publication,
        tables: models.map((spec) => ({
          model: spec.name,
          schema: spec.schema ?? schema,
          table: spec.table,
        })),
      },
      registry: createRelationRegistry({ catalog, models, defaultSchema: schema }),
      publish: (part) => bus.publish(part),
      onDrift: (model, drift) => bus.close(drift, model),
      logger: options.logger ?? silentLogger,
      isEnabledOnConnect: options.enableOnStart ?? false,
      isBinary: options.binary ?? true,
      applicationName: `rowcast: ${slot}`,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      random: Math.random,
    })
  }

  const rowcast: Rowcast<Types> = {
    catalog,
    register(model) {
      const spec = modelOf(model)
      if (source !== null && source.status().state !== 'idle') {
        throw new RowcastError('CATALOG_REGISTERED_TOO_LATE', `Model ${model} was registered after start().`)
      }
      source = null
      registered.set(model, spec)
      return rowcast
    },
    get models() {
      return [...registered.keys()]
    },
    isRegistered: (model) => registered.has(model as ModelNameOf<Types>),
    enable() {
      source ??= buildSource()
      return source.enable()
    },
    start() {
      source ??= buildSource()
      source.start()
    },
    ready() {
      source ??= buildSource()
      return source.whenState('streaming')
    },
    subscribe(model, subscribeOptions = {}) {
      const { action, signal } = subscribeOptions
      const actions = action === undefined ? undefined : typeof action === 'string' ? [action] : action
      return changesOf(rowcast.subscribeDeliveries({ model, actions, signal }))
    },
    subscribeDeliveries(request) {
      modelOf(request.model)
      if (!registered.has(request.model as ModelNameOf<Types>)) {
        throw new RowcastError('CATALOG_MODEL_NOT_REGISTERED', `Model ${request.model} is not live.`, {
          mend: `Call rowcast.register('${request.model}') before start().`,
        })
      }
      return bus.subscribe(request)
    },
    status() {
      source ??= buildSource()
      return source.status()
    },
    async stop() {
      await source?.stop()
      bus.close()
    },
  }
  return rowcast
}

/** Deliveries → changes. The one place where the runtime's any-model change gets its model's type. */
function changesOf<C>(deliveries: BusSubscription): AsyncIterableIterator<C> {
  return {
    async next() {
      const result = await deliveries.next()
      return result.done ? { done: true, value: undefined } : { done: false, value: result.value.change as C }
    },
    async return() {
      await deliveries.return()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
