/**
 * The composition root of the library: wires the stages from socket to bus and gives them a typed face.
 */

import { serverStopping } from './bus/server-stopping.ts'
import type { ModelTypeMap } from './catalog/model-catalog.ts'
import type { TransactionMetadata } from './changes/transaction-metadata.ts'
import { RowcastError } from './errors.ts'
import { traceOnce } from './observe/tracing.ts'
import type { ModelNameOf, Rowcast, RowcastOptions } from './rowcast-api.ts'
import { createParts, type RowcastParts } from './rowcast-parts.ts'
import { RowcastReader } from './rowcast-reader.ts'
import { followSessions } from './rowcast-sessions.ts'
import { relatedCost, rowcastStatus } from './rowcast-status.ts'
import { createChangeFace } from './rowcast-subscriptions.ts'
import { countReader } from './source/session/readers-of-process.ts'
import { runTeardown } from './source/setup/teardown.ts'
import { stopParts } from './stop-parts.ts'

export type {
  ModelNameOf,
  Rowcast,
  RowcastOptions,
  SubscribeOptions,
  WhyOptions,
} from './rowcast-api.ts'
export type { DriftedModel, RowcastStatus } from './rowcast-status.ts'
export type { StopOptions } from './stop-parts.ts'

/** PostgreSQL may take a moment to see that a reader of the slot is gone. */
const SLOT_WAIT_MS = 5_000

/**
 * Creates a rowcast. Nothing connects until `enable()` or `start()`.
 * @throws CONFIG_CATALOG_VERSION, CONFIG_NO_DATABASE, CONFIG_BAD_DATABASE_URL, CONFIG_BAD_NAME, CONFIG_BAD_FIELD
 */
export function createRowcast<Types extends ModelTypeMap, Metadata = TransactionMetadata>(
  options: RowcastOptions<Types, Metadata>,
): Rowcast<Types, Metadata> {
  const parts = createParts(options, () => reader.moneyScale)
  const reader = new RowcastReader(parts)
  const { models, bus } = parts
  const rowcast: Rowcast<Types, Metadata> = {
    ...createChangeFace<Types, Metadata>(parts, reader),
    ...createLifecycle(parts, reader),
    catalog: parts.catalog,
    policies: models.options,
    register(model, modelOptions = {}) {
      const spec = models.check(model, modelOptions)
      checkNotStarted(reader, model)
      models.add(spec, modelOptions)
      return rowcast
    },
    follow(model: string, modelOptions = {}) {
      const spec = models.checkFollowed(model, modelOptions)
      if (!models.isPublished(model)) checkNotStarted(reader, model)
      models.follow(spec, modelOptions)
      return rowcast
    },
    followSessions({ model, of }) {
      rowcast.follow(model)
      const isBlindTo = (name: string) => !reader.isFollowing || reader.faults.has(name)
      return followSessions(parts, isBlindTo, { model: models.specOf(model), of })
    },
    get models() {
      return models.names as readonly ModelNameOf<Types>[]
    },
    isRegistered: (model) => models.has(model),
    isPublished: (name) => models.isPublished(name),
    status() {
      const { reader: source } = reader
      return rowcastStatus(source.status(), {
        faults: reader.faults,
        registered: models.options,
        subscriptions: bus.subscriptionCounts,
        role: parts.scaling.role,
        broker: reader.brokerStatus(),
      })
    },
    backlogs: () => bus.backlogs(),
    relatedCost: () => relatedCost(bus),
    observe: (observer) => parts.observers.add(observer),
  }
  return rowcast
}

/** What is published is fixed by then. */
function checkNotStarted(reader: RowcastReader, model: string): void {
  if (reader.isStarted)
    throw new RowcastError('CATALOG_REGISTERED_TOO_LATE', `Model ${model} was registered after start().`)
  reader.discard()
}

/** From set-up to the end. */
function createLifecycle(
  parts: RowcastParts,
  reader: RowcastReader,
): Pick<Rowcast, 'enable' | 'disable' | 'start' | 'ready' | 'stop'> {
  const { models, names, presence, observers, guard, bus, hub } = parts
  const whenReady = (): Promise<void> => presence.untilEnd(reader.reader.whenReady())
  const trace = traceOnce(observers, guard, whenReady)
  let uncountReader: (() => void) | null = null

  const stop: Rowcast['stop'] = ({ tellsSubscribers = false } = {}) =>
    stopParts([
      () => reader.stop(),
      () => uncountReader?.(),
      () => presence.end(),
      () => tellsSubscribers && bus.stop(serverStopping),
      () => bus.close(),
      () => hub.close(),
      // Whoever comes from now on would wait for ever.
      () => bus.stop(serverStopping),
      () => hub.stop(() => serverStopping(null)),
    ])

  return {
    stop,
    enable: () => reader.reader.enable(),
    async disable() {
      await stop()
      const onLeft = (sentence: string): void => parts.logger.info(sentence)
      return runTeardown(parts.target, models.goalFor(names), { slotWaitMs: SLOT_WAIT_MS, onLeft })
    },
    start() {
      const { reader: source } = reader
      if (parts.scaling.role !== 'gateway')
        uncountReader ??= countReader({ ...parts.address, slot: names.slot }, parts.logger)
      source.start()
      trace()
    },
    ready: whenReady,
  }
}
