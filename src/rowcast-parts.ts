/** Beside the spine. What a rowcast is made of before anything connects: its names, its addresses, the bus and who waits at it. */
import { resolveScaling, type Scaling } from './broker/broker-options.ts'
import { BrokerArchiveSlot } from './broker/scaled-source.ts'
import type { InProcessBus } from './bus/bus.ts'
import { BusObservers } from './bus/bus-observer.ts'
import { heapBytesLeft, heldBytesMaxOf } from './bus/heap-bounds.ts'
import { createMemoryBus } from './bus/memory-bus.ts'
import { createMessageHub, type MessageHub } from './bus/message-hub.ts'
import { StreamPresence } from './bus/replication-presence.ts'
import { logBoundsOf } from './bus/retained-log-bounds.ts'
import { guardTimers, NODE_TIMERS } from './bus/time-slices.ts'
import type { ModelCatalog, ModelTypeMap } from './catalog/model-catalog.ts'
import { parseCatalog } from './catalog/parse-catalog.ts'
import { withPrismaOmit } from './catalog/prisma-omit.ts'
import { TimeDigits } from './catalog/time-digits.ts'
import { MONEY_SCALE_DEFAULT } from './catalog/values/decimal-codecs.ts'
import { createConsoleLogger } from './console-logger.ts'
import { RowcastError } from './errors.ts'
import { createGuard, createSafeLogger, type Guard } from './guard.ts'
import type { Logger } from './logger.ts'
import { RegisteredModels } from './registered-models.ts'
import type { RowcastOptions } from './rowcast-api.ts'
import { withRelatedRows } from './rowcast-related.ts'
import { HeldPages } from './sets/held-pages.ts'
import { resolveRelatedRows } from './sets/related-rows-options.ts'
import type { SetsBus } from './sets/sets-bus.ts'
import { type ConnectionTarget, resolveConnectionTarget } from './source/db/database-address.ts'
import { readSnapshot, readXidBound } from './source/db/snapshot.ts'
import { withStandby } from './source/db/standby-address.ts'
import { VisibilityGate } from './source/db/visibility.ts'
import { type Durability, resolveDurability } from './source/durability-options.ts'
import { defaultSlot } from './source/facts/default-slot.ts'
import type { GoalParts } from './source/setup/setup-goal.ts'
import { ANSWER_TIMEOUT_MS, type DriverTarget } from './wire/driver-target.ts'

export interface RowcastParts<Types extends ModelTypeMap = ModelTypeMap> {
  readonly options: RowcastOptions<Types, unknown>
  readonly catalog: ModelCatalog<Types>
  readonly models: RegisteredModels
  readonly timeDigits: TimeDigits
  readonly logger: Logger
  /** The database. */
  readonly address: ConnectionTarget
  /** The same, with how long its answers may take. */
  readonly target: DriverTarget
  /** As whom the Prisma Client queries. */
  readonly queryRole: string
  readonly names: Omit<GoalParts, 'catalog' | 'models'>
  readonly durability: Durability
  readonly scaling: Scaling
  /** Null without a broker. */
  readonly archive: BrokerArchiveSlot | null
  readonly guard: Guard
  readonly presence: StreamPresence
  readonly observers: BusObservers
  readonly bus: SetsBus
  /** Rows that were read and not taken, of all subscriptions. */
  readonly held: HeldPages
  readonly hub: MessageHub
  readonly visibility: VisibilityGate
}

const SLOT_NAME = /^[a-z0-9_]{1,63}$/

/**
 * Creates them. `moneyScale`: digits of money after the point, once the stream has shown them.
 * @throws CONFIG_CATALOG_VERSION, CONFIG_NO_DATABASE, CONFIG_BAD_DATABASE_URL, CONFIG_BAD_NAME, CONFIG_BAD_FIELD
 */
export function createParts<Types extends ModelTypeMap>(
  options: RowcastOptions<Types, unknown>,
  moneyScale: () => number | undefined,
): RowcastParts<Types> {
  const timeDigits = new TimeDigits()
  const catalog: typeof options.catalog = {
    ...withPrismaOmit(parseCatalog(options.catalog), options.prisma),
    '~moneyScale': () => moneyScale() ?? MONEY_SCALE_DEFAULT,
    '~timeDigits': (field) => timeDigits.of(field),
  }
  const logger = createSafeLogger(options.logger ?? createConsoleLogger())
  const { target: primary, schema, queryRole } = resolveConnectionTarget(options)
  const address = withStandby(primary, options.replicationUrl)
  const { slot = defaultSlot(address.database), publication = 'rowcast' } = options
  if (!SLOT_NAME.test(slot))
    throw new RowcastError('CONFIG_BAD_NAME', `"${slot}" cannot be the name of a slot.`)
  const target = { ...address, waits: { answerTimeoutMs: options.answerTimeoutMs } }
  const durability = resolveDurability(options)
  const scaling = resolveScaling(options)
  const archive = scaling.broker === null ? null : new BrokerArchiveSlot()
  const guard = createGuard(logger)
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const presence = new StreamPresence(answerTimeoutMs, guard)
  const observers = new BusObservers(guard)
  observers.add(presence)
  const { queueLengthMax, heldBytesMax, overflow } = options
  const visibility = new VisibilityGate({
    readSnapshot: () => readSnapshot(options.prisma, target),
    prepare: () => askEarlier(ownBus, target),
  })
  const ownBus = createMemoryBus({
    ...{ observers, older: archive ?? undefined, queueLengthMax, heldBytesMax, overflow, guard },
    ...{ models: catalog.models, log: logBoundsOf(durability.retention) },
    timers: guardTimers(NODE_TIMERS, guard),
  })
  const models = new RegisteredModels(catalog)
  const softDeleteOf = (model: string) => models.options.get(model)?.softDelete
  const held = new HeldPages(heldBytesMax ?? heldBytesMaxOf(heapBytesLeft()))
  return {
    ...{ options, catalog, logger, address, target, queryRole, durability, scaling, archive },
    ...{ guard, presence, observers, visibility },
    bus: withRelatedRows(ownBus, {
      ...{
        prisma: options.prisma,
        visibility,
        guard,
        observers,
        held,
        softDeleteOf,
        answerTimeoutMs,
        schema,
        limits: resolveRelatedRows(options),
      },
      isShared: archive !== null,
    }),
    ...{ models, held, timeDigits },
    names: { schema, slot, publication, isSlotDefault: options.slot === undefined },
    hub: createMessageHub(queueLengthMax ?? 65_536, guard),
  }
}

/** What committed before the stream began: as long as nobody has said that it is visible, its bound is needed to find out. */
export async function askEarlier(
  { history }: Pick<InProcessBus, 'history'>,
  target: DriverTarget,
): Promise<void> {
  const earlier = history?.earlier
  if (earlier?.isUnasked === true) earlier.ask(await readXidBound(target))
}
