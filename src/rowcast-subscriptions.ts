/** Beside the spine. What a rowcast gives of its changes: subscriptions, cursors, messages, and why one did not get a change. */
import { setTimeout as delay } from 'node:timers/promises'
import { checkServesChanges } from './broker/broker-options.ts'
import type { SubscriptionRequest } from './bus/bus.ts'
import { explainDelivery } from './bus/explain-delivery.ts'
import { asksRelatedRows, checkImagesAreSent } from './bus/filter/change-filter.ts'
import { commitsNotVisible, notAnswered } from './bus/replication-presence.ts'
import type { ModelSpec, ModelTypeMap } from './catalog/model-catalog.ts'
import { omittedByPrisma } from './catalog/prisma-omit.ts'
import type { LooseSubscribeOptions, Rowcast } from './rowcast-api.ts'
import { actionsOf, changesOf } from './rowcast-changes.ts'
import { checkAsksForRows, createRowSubscriptions, type RowSubscriptions } from './rowcast-first-rows.ts'
import { createLists } from './rowcast-lists.ts'
import type { LiveLists } from './rowcast-lists-api.ts'
import type { RowcastParts } from './rowcast-parts.ts'
import type { RowcastReader } from './rowcast-reader.ts'
import {
  explainRelated,
  parseLibraryFilter,
  type RelatedRowsHost,
  subscribeRelated,
  subscribeRelatedDeliveries,
  subscribeRelatedRows,
} from './rowcast-related.ts'
import {
  changesOfSeveral,
  type LooseSelection,
  subscribeTransactions,
  type TransactionsHost,
} from './rowcast-transactions.ts'
import { checkIncludesAlone, includedRelations } from './sets/parse-include.ts'
import type { RowsBeginning } from './sets/shared-beginnings.ts'
import { ANSWER_TIMEOUT_MS } from './wire/driver-target.ts'

/** How often it is looked whether what committed before the stream began is visible. */
const EARLIER_INTERVAL_MS = 20

/** The part of the face that reads. */
export type ChangeFace<Types extends ModelTypeMap, Metadata> = Pick<
  Rowcast<Types, Metadata>,
  | 'subscribe'
  | 'transactions'
  | keyof LiveLists<Types, Metadata>
  | 'subscribeRows'
  | 'subscribeRelated'
  | 'subscribeDeliveries'
  | 'why'
  | 'explain'
  | 'messages'
  | 'changeCursor'
  | 'whenLive'
  | 'whenVisible'
  | 'hasOldImages'
>

type FaceParts<Types extends ModelTypeMap> = Pick<
  RowcastParts<Types>,
  'catalog' | 'models' | 'scaling' | 'bus' | 'held' | 'hub' | 'presence' | 'visibility' | 'guard'
> & {
  readonly options: Pick<RowcastParts<Types>['options'], 'prisma' | 'overflow' | 'answerTimeoutMs' | 'lists'>
  readonly names: Pick<RowcastParts<Types>['names'], 'schema' | 'publication'>
}

/** What reads, as far as it is asked. */
type FaceReader = Pick<RowcastReader, 'faults' | 'hasOldImages'> & {
  readonly reader: Pick<RowcastReader['reader'], 'whenReady'>
}

/** Creates it: functions that hold without what they are called on. */
export function createChangeFace<Types extends ModelTypeMap, Metadata>(
  parts: FaceParts<Types>,
  reader: FaceReader,
): ChangeFace<Types, Metadata> {
  const { options, catalog, models, scaling, bus, held, hub, presence, visibility } = parts
  const { prisma, overflow, answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const host = {
    ...{ catalog, overflow, held, answerTimeoutMs, prisma },
    softDeleteOf: (model: string) => models.options.get(model)?.softDelete,
  }
  const lookNow = () => positionForNow(parts, reader, answerTimeoutMs)
  const rows = createRowSubscriptions({
    ...{ ...host, bus, lookNow, guard: parts.guard, names: parts.names },
    rowcast: () => face,
  })
  const relatedHost = { ...host, bus, ...readerOf(parts, reader) }
  const transactionsHost: TransactionsHost = {
    ...{ catalog, prisma },
    specOf: (model) => models.specOf(model),
    subscribeDeliveries: (request) => face.subscribeDeliveries(request),
  }
  const face: ChangeFace<Types, Metadata> = {
    subscribe(
      model: string | readonly string[],
      request: LooseSubscribeOptions = {},
    ): AsyncIterableIterator<never> {
      if (typeof model !== 'string') return changesOfSeveral(transactionsHost, model, request)
      return subscribeOne({ ...host, models, scaling, rows, relatedHost, face }, model, request)
    },
    ...createLists<Types, Metadata>({
      ...{ ...host, guard: parts.guard, related: relatedHost, rowcast: () => face },
      ...{ schema: parts.names.schema, lists: options.lists },
      checkLive: (model) => servedModel(parts, model),
    }),
    transactions: (of, options = {}) =>
      subscribeTransactions(transactionsHost, of as LooseSelection, options),
    subscribeRows: (request) =>
      asksRelatedRows(request.filter) || request.rights !== undefined || request.include !== undefined
        ? subscribeRelatedRows(relatedHost, models.checkLive(request.model), request)
        : rows.subscribeRows(models.specOf(request.model), request),
    subscribeRelated(request) {
      checkServesChanges(scaling.role)
      return subscribeRelatedDeliveries(relatedHost, models.checkLive(request.model), request)
    },
    subscribeDeliveries(request) {
      checkCanSubscribe(parts, reader, request)
      return bus.subscribe(request)
    },
    async why(model, { cursor, action, ...input }) {
      const spec = models.specOf(model)
      const filter = parseLibraryFilter(spec, catalog, input)
      const parse = (where: unknown) => parseLibraryFilter(spec, catalog, { where })?.where ?? null
      const actions = actionsOf(action)
      return face.explain({ cursor, model: spec, actions, filter, input, parse, namesPolicies: true })
    },
    async explain(request) {
      checkServesChanges(scaling.role)
      const related = await explainRelated(relatedHost, request)
      return explainDelivery({ ...request, catalog }, { related, ...knownOf(parts, reader) })
    },
    messages(request = {}) {
      checkServesChanges(scaling.role)
      return hub.listen(request)
    },
    async changeCursor() {
      checkServesChanges(scaling.role)
      return (await lookNow()).cursor
    },
    whenLive: () => presence.whenLive(),
    whenVisible: (xid) => visibility.whenVisible(xid),
    hasOldImages: (model) => reader.hasOldImages(model),
  }
  return face
}

/** @throws BROKER_WRONG_ROLE, what stands in the way of the model, and what its filter asks for and is not sent */
function checkCanSubscribe<Types extends ModelTypeMap>(
  parts: Pick<FaceParts<Types>, 'models' | 'scaling'>,
  reader: FaceReader,
  { model, filter, actions }: SubscriptionRequest,
): void {
  const spec = servedModel(parts, model)
  const fault = reader.faults.get(model)
  if (fault !== undefined) throw fault
  if (filter) checkImagesAreSent(filter, spec, { hasOldImages: reader.hasOldImages(model), actions })
}

/** The cursor behind all that queries see, and where the WAL ended then. Waits for the stream. @throws what says that the database does not show its commits */
async function positionForNow(
  { bus, presence, visibility }: Pick<RowcastParts, 'bus' | 'presence' | 'visibility'>,
  { reader }: Pick<FaceReader, 'reader'>,
  timeoutMs: number,
): Promise<RowsBeginning> {
  const untilMs = performance.now() + timeoutMs
  for (;;) {
    await presence.whenReady(() => presence.untilEnd(reader.whenReady()))
    // A gap may come while the database is asked: then there is no position until the stream begins again.
    const seen = await visibility.look().catch(notAnswered)
    const cursor = bus.cursorBefore(seen)
    if (cursor !== null) return { cursor, endLsn: seen.endLsn ?? null }
    if (performance.now() >= untilMs) throw commitsNotVisible()
    if (bus.history !== null) await presence.untilEnd(delay(EARLIER_INTERVAL_MS))
  }
}

/** What an explanation asks of the process. */
function knownOf({ bus }: Pick<RowcastParts, 'bus'>, { faults }: Pick<FaceReader, 'faults'>) {
  return {
    changeAt: (cursor: string) => bus.changeAt(cursor),
    progress: (label: string, cursor: string) => bus.progress(label, cursor),
    driftOf: (model: string) => faults.get(model) ?? null,
  }
}

/** A model that is live, in a process that serves changes. @throws BROKER_WRONG_ROLE, CATALOG_MODEL_NOT_REGISTERED, CATALOG_UNKNOWN_MODEL */
function servedModel<Types extends ModelTypeMap>(
  { models, scaling }: Pick<FaceParts<Types>, 'models' | 'scaling'>,
  model: string,
): ModelSpec {
  checkServesChanges(scaling.role)
  return models.checkLive(model)
}

/** What is known of models that rows are asked of. */
function readerOf<Types extends ModelTypeMap>(
  { models }: FaceParts<Types>,
  reader: FaceReader,
): Pick<RelatedRowsHost, 'isPublished' | 'hasOldImages' | 'faultOf'> {
  return {
    isPublished: (model) => models.isPublished(model),
    hasOldImages: (model) => reader.hasOldImages(model),
    faultOf: (model) => reader.faults.get(model),
  }
}

/** What a subscription of the library to one model is made with. */
interface LibraryHost extends Pick<RowcastParts, 'catalog' | 'models' | 'scaling'> {
  readonly prisma: unknown
  readonly rows: RowSubscriptions
  readonly relatedHost: RelatedRowsHost
  readonly face: Pick<ChangeFace<ModelTypeMap, unknown>, 'subscribeDeliveries'>
}

function subscribeOne(
  { catalog, models, scaling, prisma, rows, relatedHost, face }: LibraryHost,
  model: string,
  request: LooseSubscribeOptions,
): AsyncIterableIterator<never> {
  const { action, where, old, new: after, changed, initial, include: names, ...rest } = request
  const spec = models.specOf(model)
  const actions = actionsOf(action)
  const isInitial = initial !== undefined && initial !== false && rest.after === undefined
  const filter = parseLibraryFilter(spec, catalog, { where, old, new: after, changed })
  if (names !== undefined) checkIncludesAlone({ action, old, new: after, changed })
  const include = names === undefined ? [] : includedRelations(spec, catalog, names)
  if (asksRelatedRows(filter) || include.length > 0) {
    checkServesChanges(scaling.role)
    if (isInitial) checkAsksForRows({ action, old, new: after, changed })
    return subscribeRelated(relatedHost, models.checkLive(model), {
      model,
      filter,
      actions,
      include,
      isInitial,
      ...rest,
    })
  }
  if (isInitial) {
    const refused = { action, old, new: after, changed }
    return rows.subscribe(spec, { ...rest, where, initial, refused })
  }
  const deliveries = face.subscribeDeliveries({ model, actions, filter, ...rest })
  return changesOf(deliveries, omittedByPrisma(prisma, model))
}
