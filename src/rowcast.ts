/**
 * The composition root of the library: wires the stages from socket to bus and gives them a typed face.
 */

import { checkServesChanges, resolveScaling } from './broker/broker-options.ts'
import {
  BrokerArchiveSlot,
  type BrokerStatus,
  type ChangeReader,
  createScaledSource,
} from './broker/scaled-source.ts'
import { busSink, NO_SINK, type SourceSink } from './broker/source-sink.ts'
import { BusObservers } from './bus/bus-observer.ts'
import { explainDelivery } from './bus/explain-delivery.ts'
import { checkImagesAreSent, parseChangeFilter } from './bus/filter/change-filter.ts'
import { logBoundsOf } from './bus/log-bounds.ts'
import { createMemoryBus } from './bus/memory-bus.ts'
import { createMessageHub } from './bus/message-hub.ts'
import { serverStopping } from './bus/server-stopping.ts'
import { StreamPresence } from './bus/stream-presence.ts'
import { guardTimers, NODE_TIMERS } from './bus/time-slices.ts'
import type { ModelSpec, ModelTypeMap } from './catalog/model-catalog.ts'
import { omittedByPrisma, withPrismaOmit } from './catalog/prisma-omit.ts'
import { createRelationRegistry, type RelationRegistry } from './catalog/relation-registry.ts'
import { MONEY_SCALE_DEFAULT } from './catalog/values/decimal-codecs.ts'
import { findModel } from './config/find-model.ts'
import { checkRegisterOptions, type RegisterOptions, softDeleteFieldsOf } from './config/register-options.ts'
import { createConsoleLogger } from './console-logger.ts'
import { RowcastError } from './errors.ts'
import { modelsWithRowRule } from './graphql/policy/model-policy.ts'
import { createGuard, createSafeLogger } from './guard.ts'
import { traceOnce } from './observe/tracing.ts'
import type { LooseSubscribeOptions, ModelNameOf, Rowcast, RowcastOptions } from './rowcast-api.ts'
import { actionsOf, changesOf } from './rowcast-changes.ts'
import { createRowSubscriptions } from './rowcast-first-rows.ts'
import { namesRelation, parseLibraryFilter, subscribeRelated, withRelatedRows } from './rowcast-related.ts'
import { rowcastStatus } from './rowcast-status.ts'
import { resolveConnectionTarget } from './source/db/database-address.ts'
import { readSnapshot } from './source/db/snapshot.ts'
import { withDatabaseSession } from './source/db/sql.ts'
import { readSystemIdentifier } from './source/db/system-identifier.ts'
import { VisibilityGate } from './source/db/visibility.ts'
import { resolveDurability } from './source/durability-options.ts'
import { createReplicationSource } from './source/replication-source.ts'
import { countReader } from './source/session/readers-of-process.ts'
import { defaultSlot } from './source/setup/default-slot.ts'
import { createRowSecurityJudge } from './source/setup/row-security.ts'
import { createSetupGoal, modelsKeepingIdentity, type SetupGoal } from './source/setup/setup-goal.ts'
import { runTeardown } from './source/setup/teardown.ts'
import { stopParts } from './stop-parts.ts'
import { ANSWER_TIMEOUT_MS } from './wire/driver-target.ts'

export type {
  DriftedModel,
  ModelNameOf,
  Rowcast,
  RowcastOptions,
  RowcastStatus,
  StopOptions,
  SubscribeOptions,
  WhyOptions,
} from './rowcast-api.ts'

/** PostgreSQL may take a moment to see that a reader of the slot is gone. */
const SLOT_WAIT_MS = 5_000
const SLOT_NAME = /^[a-z0-9_]{1,63}$/

/**
 * Creates a rowcast. Nothing connects until `enable()` or `start()`.
 * @throws CONFIG_NO_DATABASE, CONFIG_BAD_DATABASE_URL, CONFIG_BAD_NAME, CONFIG_BAD_FIELD
 */
export function createRowcast<Types extends ModelTypeMap>(options: RowcastOptions<Types>): Rowcast<Types> {
  const catalog: typeof options.catalog = {
    ...withPrismaOmit(options.catalog, options.prisma),
    '~moneyScale': () => registry?.moneyScale ?? MONEY_SCALE_DEFAULT,
  }
  const logger = createSafeLogger(options.logger ?? createConsoleLogger())
  const { target: address, schema, queryRole } = resolveConnectionTarget(options)
  const { slot = defaultSlot(address.database), publication = 'rowcast' } = options
  if (!SLOT_NAME.test(slot))
    throw new RowcastError('CONFIG_BAD_NAME', `"${slot}" cannot be the name of a slot.`)
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const target = { ...address, waits: { answerTimeoutMs } }
  const durability = resolveDurability(options)
  const scaling = resolveScaling(options)
  const archive = scaling.broker === null ? null : new BrokerArchiveSlot()
  const guard = createGuard(logger)
  const presence = new StreamPresence(answerTimeoutMs, guard)
  const observers = new BusObservers(guard)
  observers.add(presence)
  const { queueLengthMax, heldBytesMax, overflow } = options
  const visibility = new VisibilityGate({ readSnapshot: () => readSnapshot(options.prisma, target) })
  const ownBus = createMemoryBus({
    ...{ observers, older: archive ?? undefined, queueLengthMax, heldBytesMax, overflow, guard },
    ...{ models: catalog.models, log: logBoundsOf(durability.retention) },
    timers: guardTimers(NODE_TIMERS, guard),
  })
  const bus = withRelatedRows(ownBus, { prisma: options.prisma, visibility, guard })
  const hub = createMessageHub(queueLengthMax ?? 65_536, guard)
  const registered = new Map<ModelNameOf<Types>, ModelSpec>()
  const registerOptions = new Map<string, RegisterOptions>()
  let source: ChangeReader | null = null
  let brokerStatus: () => BrokerStatus | null = () => null
  let registry: RelationRegistry | null = null
  const trace = traceOnce(observers, guard)
  let uncountReader: (() => void) | null = null

  const modelOf = (model: string): ModelSpec => findModel(catalog, model)

  function setupGoal(): SetupGoal {
    const models = [...registered.values()].map((spec) => ({ ...registerOptions.get(spec.name), spec }))
    const isSlotDefault = options.slot === undefined
    return createSetupGoal({ ...{ catalog, schema, slot, isSlotDefault, publication }, models })
  }

  /** The worker is built when first needed: by then the models are known. */
  function buildSource(): ChangeReader {
    const goal = setupGoal()
    const models = [...registered.values()]
    const keepsIdentity = modelsKeepingIdentity(goal)
    const parts = { catalog, models, defaultSchema: schema, keepsIdentity }
    const createRegistry = () => createRelationRegistry(parts)
    const ownRegistry = createRegistry()
    registry = ownRegistry
    const softDelete = softDeleteFieldsOf(registerOptions)
    const judgeTable = createRowSecurityJudge({
      ...{ role: queryRole, answered: modelsWithRowRule(registerOptions), logger },
      isRefusing: process.env['NODE_ENV'] === 'production',
    })
    const createSource = (relations: RelationRegistry, sink: SourceSink) =>
      createReplicationSource({
        target,
        goal,
        registry: relations,
        softDelete,
        judgeTable,
        ...durability,
        ...sink,
        logger,
        isEnabledOnConnect: options.enableOnStart ?? false,
        isBinary: options.binary ?? true,
        applicationName: `rowcast: ${slot}`,
        random: Math.random,
      })
    const { broker, role } = scaling
    if (broker === null || archive === null) return createSource(ownRegistry, busSink(bus, hub))
    const scaled = createScaledSource({
      ...{ role, broker, slot, publication, logger, archive, softDelete, bus, createRegistry, judgeTable },
      ...{ registry: ownRegistry, models: models.map(({ name }) => name) },
      onMessage: (message) => hub.publish(message),
      watchIntervalMs: durability.watchIntervalMs,
      askDatabase: (ask) => withDatabaseSession(target, (sql) => ask((text) => sql.query(text))),
      readSystemId: (signal) => readSystemIdentifier({ ...target, waits: { ...target.waits, signal } }),
      createTapSource: (relay, relations) => createSource(relations, { ...NO_SINK, relay }),
    })
    brokerStatus = () => scaled.brokerStatus()
    return scaled
  }

  const rowsHost = {
    ...{ catalog, overflow, heldBytesMax, answerTimeoutMs, prisma: options.prisma },
    isScaled: scaling.broker !== null,
    softDeleteOf: (model: string) => registerOptions.get(model)?.softDelete,
  }
  const rowSubscriptions = createRowSubscriptions({ ...rowsHost, rowcast: () => rowcast })
  const isRegistered = (model: string) => registerOptions.has(model)
  const faultOf = (model: string) => registry?.faults.get(model)
  const relatedHost = { ...rowsHost, bus, isRegistered, faultOf }

  const rowcast: Rowcast<Types> = {
    catalog,
    policies: registerOptions,
    register(model, modelOptions = {}) {
      const spec = modelOf(model)
      checkRegisterOptions(spec, modelOptions)
      if (source !== null && source.status().state !== 'idle') {
        throw new RowcastError('CATALOG_REGISTERED_TOO_LATE', `Model ${model} was registered after start().`)
      }
      source = null
      registered.set(model, spec)
      registerOptions.set(model, modelOptions)
      return rowcast
    },
    get models() {
      return [...registered.keys()]
    },
    isRegistered,
    enable() {
      source ??= buildSource()
      return source.enable()
    },
    async disable() {
      await rowcast.stop()
      return runTeardown(target, setupGoal(), { slotWaitMs: SLOT_WAIT_MS })
    },
    start() {
      source ??= buildSource()
      if (scaling.role !== 'gateway') uncountReader ??= countReader({ ...address, slot }, logger)
      source.start()
      trace()
    },
    ready() {
      source ??= buildSource()
      return presence.untilEnd(source.whenReady())
    },
    subscribe(model: string, subscribeOptions: LooseSubscribeOptions = {}): AsyncIterableIterator<never> {
      const { action, where, old, new: after, changed, initial, ...request } = subscribeOptions
      if (initial !== undefined && initial !== false && request.after === undefined) {
        const refused = { action, old, new: after, changed }
        return rowSubscriptions.subscribe(modelOf(model), { ...request, where, initial, refused })
      }
      const actions = actionsOf(action)
      const filter = parseLibraryFilter(modelOf(model), catalog, { where, old, new: after, changed })
      if (filter !== null && namesRelation(modelOf(model), where)) {
        const related = { model: modelOf(model), filter, refused: { action, changed }, ...request }
        return subscribeRelated({ ...relatedHost, hasOldImages: rowcast.hasOldImages }, related)
      }
      const deliveries = rowcast.subscribeDeliveries({ model, actions, filter, ...request })
      return changesOf(deliveries, omittedByPrisma(options.prisma, model))
    },
    subscribeRows: (request) => rowSubscriptions.subscribeRows(modelOf(request.model), request),
    subscribeDeliveries(request) {
      checkServesChanges(scaling.role)
      modelOf(request.model)
      if (!registered.has(request.model as ModelNameOf<Types>)) {
        throw new RowcastError('CATALOG_MODEL_NOT_REGISTERED', `Model ${request.model} is not live.`, {
          hint: `Call rowcast.register('${request.model}') before start().`,
        })
      }
      const drift = registry?.faults.get(request.model)
      if (drift !== undefined) throw drift
      const { filter, actions } = request
      if (filter) {
        const hasOldImages = rowcast.hasOldImages(request.model)
        checkImagesAreSent(filter, modelOf(request.model), { hasOldImages, actions })
      }
      return bus.subscribe(request)
    },
    why(model, { cursor, action, ...input }) {
      const spec = modelOf(model)
      const filter = parseChangeFilter(spec, catalog, input)
      return rowcast.explain({ cursor, model: spec, actions: actionsOf(action), filter, input })
    },
    explain(request) {
      checkServesChanges(scaling.role)
      return explainDelivery(
        { ...request, catalog },
        {
          changeAt: (cursor) => bus.changeAt(cursor),
          progress: (label, cursor) => bus.progress(label, cursor),
          driftOf: (model) => registry?.faults.get(model) ?? null,
        },
      )
    },
    messages(request = {}) {
      checkServesChanges(scaling.role)
      return hub.listen(request)
    },
    async changeCursor() {
      checkServesChanges(scaling.role)
      for (;;) {
        await presence.whenReady(() => rowcast.ready())
        // A gap may come while the database is asked: then there is no position until the stream begins again.
        const cursor = bus.cursorBefore(await visibility.look())
        if (cursor !== null) return cursor
      }
    },
    whenLive: () => presence.whenLive(),
    whenVisible: (xid) => visibility.whenVisible(xid),
    hasOldImages: (model) => registry?.hasOldImages(model) ?? true,
    status() {
      source ??= buildSource()
      return rowcastStatus(source.status(), {
        faults: registry?.faults ?? new Map<string, RowcastError>(),
        registered: registerOptions,
        subscriptions: bus.subscriptionCounts,
        role: scaling.role,
        broker: brokerStatus(),
      })
    },
    backlogs: () => bus.backlogs(),
    observe: (observer) => observers.add(observer),
    stop({ tellsSubscribers = false } = {}) {
      return stopParts([
        () => source?.stop(),
        () => uncountReader?.(),
        () => presence.end(),
        () => tellsSubscribers && bus.stop(serverStopping),
        () => bus.close(),
        () => hub.close(),
        // Whoever comes from now on would wait for ever.
        () => bus.stop(serverStopping),
        () => hub.stop(() => serverStopping(null)),
      ])
    },
  }
  return rowcast
}
