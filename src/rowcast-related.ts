/** Beside the spine. Subscriptions of the library whose `where` follows relations: what they need, and what they give. */
import { setTimeout as delay } from 'node:timers/promises'
import { mapIterator } from './async-iteration.ts'
import type { InProcessBus, OverflowPolicy } from './bus/bus.ts'
import type { BusObservers } from './bus/bus-observer.ts'
import type { ExplainRequest, RelatedRows } from './bus/explain-delivery.ts'
import { badFilter } from './bus/filter/bad-filter.ts'
import {
  asksRelatedRows,
  type ChangeFilter,
  type ChangeFilterInput,
  conditionsOf,
  parseChangeFilter,
} from './bus/filter/change-filter.ts'
import { allSetsOf, keySetsOf } from './bus/filter/condition.ts'
import { cannotResume } from './bus/resync-required.ts'
import { TurnShare } from './bus/turn-share.ts'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { omittedByPrisma, withWholeRows } from './catalog/prisma-omit.ts'
import { isJoinTable } from './catalog/relation-path.ts'
import { canonicalText } from './catalog/values/canonical-text.ts'
import type { AnyRow } from './changes/change.ts'
import { isRowcastError, RowcastError } from './errors.ts'
import { ownCopy } from './graphql/policy/own-copy.ts'
import { bytesOf } from './graphql/reading/row-weights.ts'
import type { Guard } from './guard.ts'
import { ownRows } from './rowcast-changes.ts'
import { checkAsksForRows } from './rowcast-first-rows.ts'
import { relatedRowsAt } from './sets/explain-related.ts'
import { canFence, type RowsAtFence } from './sets/fence.ts'
import type { HeldPages } from './sets/held-pages.ts'
import type { HeardOf, IncludedRelation } from './sets/included-relation.ts'
import { hasReadableKeys } from './sets/join-table-rows.ts'
import type { ReadRows } from './sets/key-set.ts'
import { filterOrAll } from './sets/live-view.ts'
import { PageReads } from './sets/page-reads.ts'
import { relatedDeliveries } from './sets/related-deliveries.ts'
import type { RelatedEvent } from './sets/related-event.ts'
import type { RelatedRowsRequest } from './sets/related-request.ts'
import { RelatedRowReader } from './sets/related-row-reader.ts'
import type { RelatedReadLimits, SetLimits } from './sets/related-rows-options.ts'
import type { RelatedSubscription } from './sets/related-subscription.ts'
import type { EventSubscription, RowsRequest } from './sets/row-subscription.ts'
import { readRowsAt } from './sets/rows-at.ts'
import { SetsBus } from './sets/sets-bus.ts'
import { StreamFollower } from './sets/stream-follower.ts'
import { unmarkedWhere } from './sets/unmarked-where.ts'
import type { VisibilityGate } from './source/db/visibility.ts'

/** The bus in front of one that follows no relations. */
export function withRelatedRows(bus: InProcessBus, parts: RelatedRowsParts): SetsBus {
  const {
    prisma,
    visibility,
    guard,
    observers,
    held,
    softDeleteOf,
    answerTimeoutMs,
    schema,
    isShared,
    limits,
  } = parts
  const monotonicMs = () => performance.now()
  const wait = (ms: number) => delay(ms)
  const follower = new StreamFollower({ bus, monotonicMs, wait, look: () => visibility.look() })
  const reader = new RelatedRowReader({
    ...{ progress: follower, turns: new PageReads<RowsAtFence>(), bytesOf, monotonicMs, wait },
    client: Object(withWholeRows(Object(prisma))),
    schema,
    narrowedTo: (model) => unmarkedWhere(model, softDeleteOf(model.name)),
    bounds: { ...limits, timeoutMs: answerTimeoutMs },
  })
  const turns = new TurnShare({ guard })
  const readRows: ReadRows = (request, ordinal) => readRowsAt(reader, ordinal, request, turns)
  return new SetsBus({
    ...{ bus, follower, guard, isShared },
    reading: {
      ...{ readRows, limits, held, bytesOf, turns },
      observer: observers,
      whenVisible: (ordinal, model) => reader.whenVisible(ordinal, model),
      endLsn: (model) => reader.endLsn(model),
      cost: () => reader.cost,
    },
  })
}

interface RelatedRowsParts {
  readonly prisma: unknown
  readonly visibility: VisibilityGate
  readonly guard: Guard
  readonly observers: BusObservers
  readonly held: HeldPages
  readonly softDeleteOf: (model: string) => string | undefined
  /** The PostgreSQL schema of tables that name none. */
  readonly schema: string
  /** Of each wait for the database. */
  readonly answerTimeoutMs: number
  /** @default RELATED_ROWS_BOUNDS */
  readonly limits?: (SetLimits & RelatedReadLimits) | undefined
  /** Whether other processes read the same stream. */
  readonly isShared: boolean
}

/** What is needed of a rowcast. */
export interface RelatedRowsHost {
  readonly bus: SetsBus
  readonly catalog: ModelCatalog
  readonly prisma: unknown
  readonly overflow: OverflowPolicy | undefined
  readonly softDeleteOf: (model: string) => string | undefined
  readonly isPublished: (model: string) => boolean
  readonly hasOldImages: (model: string) => boolean
  readonly faultOf: (model: string) => RowcastError | undefined
}

/** A filter of the library; equal ones have one key. @throws BAD_FILTER */
export function parseLibraryFilter(
  model: ModelSpec,
  catalog: ModelCatalog,
  input: ChangeFilterInput,
): ChangeFilter | null {
  const given = Object.entries(input).filter(([, part]) => part != null)
  const key = canonicalText(Object.fromEntries(given))
  return parseChangeFilter(model, catalog, input, { relations: {}, key })
}

/** Subscribes to rows that other rows decide about, for the library's users. @throws BAD_FILTER, BAD_CURSOR, and what is wrong with a model */
export function subscribeRelated<C>(
  host: RelatedRowsHost,
  model: ModelSpec,
  request: RelatedRowsRequest,
): AsyncIterableIterator<C> {
  const omitted = omittedByPrisma(host.prisma, model.name)
  return mapIterator(open(host, model, request), (event) => given(model.name, event, omitted) as C)
}

/** The same for GraphQL. @throws POLICY_FAILED where a policy cannot be followed */
export function subscribeRelatedDeliveries(
  host: RelatedRowsHost,
  model: ModelSpec,
  request: RelatedRowsRequest,
): EventSubscription {
  const copy = (row: AnyRow) => ownCopy(row) as AnyRow
  const { filter } = request
  const isAsked = filter !== null && conditionsOf({ ...filter, rows: null }).flatMap(keySetsOf).length > 0
  return relatedDeliveries(model.name, open(host, model, request), copy, isAsked)
}

/** The same with the rows there are before it. @throws FIRST_ROWS_REFUSED */
export function subscribeRelatedRows(
  host: RelatedRowsHost,
  model: ModelSpec,
  { filter = null, refused, ...request }: RowsRequest,
): EventSubscription {
  checkAsksForRows(refused)
  return subscribeRelatedDeliveries(host, model, { ...request, filter, isInitial: true })
}

function open(host: RelatedRowsHost, model: ModelSpec, request: RelatedRowsRequest): RelatedSubscription {
  const { actions, isInitial, after, account, signal, overflow, rights, include = [] } = request
  const filter = filterOrAll(request.filter)
  const ofFilters = followedModels(host, model, { filter, rights })
  const conflates = (overflow ?? host.overflow) === 'conflate'
  const setModels = new Set([...ofFilters, ...includedModels(host, include)])
  const asksForWrites = [filter.old, filter.new, filter.changed].some((part) => part !== null)
  const asksForRows = !asksForWrites && (actions ?? []).length === 0
  const shown = { model, filter, include, asksForRows, isInitial }
  const wanted = { ...shown, setModels, rights, actions, after, account, conflates }
  return host.bus.subscribeRelated(wanted, signal)
}

/** Names of the models of included relations, and of those that their filters ask. @throws BAD_FILTER where one cannot be followed */
function includedModels(host: RelatedRowsHost, include: readonly IncludedRelation[]): readonly string[] {
  return include.flatMap(({ filter, related: { model } }, index) => {
    checkModel(host, model, (why, hint) => badFilter(`include[${index}]`, `${why}.`, hint))
    return [model.name, ...(filter === null ? [] : followedModels(host, model, { filter }))]
  })
}

/** What other rows decided at a cursor; null where the filter asks none. @throws BAD_CURSOR, and what is wrong with a model */
export async function explainRelated(
  host: RelatedRowsHost,
  request: Omit<ExplainRequest, 'catalog'>,
): Promise<RelatedRows | RowcastError | null> {
  const { filter, model } = request
  if (!asksRelatedRows(filter)) return null
  followedModels(host, model, { filter })
  const { history, reading } = host.bus
  try {
    if (history === null) throw cannotResume('the stream has not begun')
    return await relatedRowsAt({ history, reading }, request)
  } catch (error) {
    if (isRowcastError(error) && error.code !== 'BAD_CURSOR') return error
    throw error
  }
}

/** Names of the models whose rows decide about those of the model. @throws POLICY_FAILED, BAD_FILTER where one cannot be followed */
export function followedModels(
  host: RelatedRowsHost,
  model: ModelSpec,
  asked: Pick<RelatedRowsRequest, 'rights'> & { readonly filter: ChangeFilter },
): ReadonlySet<string> {
  const { filter, rights } = asked
  const ofPolicy = filter.rows === null ? [] : allSetsOf(filter.rows)
  const ofFilter = conditionsOf({ ...filter, rows: null }).flatMap(allSetsOf)
  const policyRefused: Refuse = (why, hint) =>
    new RowcastError('POLICY_FAILED', `The policy \`rows\` of ${model.name} follows other rows: ${why}.`, {
      hint,
    })
  const refuse = ofPolicy.length > 0 || rights !== undefined ? policyRefused : filterRefused
  if (!canFence(host.prisma))
    throw refuse(
      'there is no Prisma Client to read related rows with',
      'Give createRowcast a `prisma` with $transaction.',
    )
  checkModel(host, model, refuse)
  for (const set of ofPolicy) checkSetModel(host, set.model, policyRefused)
  for (const set of ofFilter) checkSetModel(host, set.model, filterRefused)
  for (const { model } of rights?.dependencies ?? []) checkSetModel(host, model, policyRefused)
  return new Set([...ofPolicy, ...ofFilter].map((set) => set.model.name))
}

/** The error of what cannot be followed, and what to do about it. */
type Refuse = (why: string, hint: string) => RowcastError

const filterRefused: Refuse = (why, hint) => badFilter('where', `${why}.`, hint)

/** A model whose rows decide about others. */
function checkSetModel(host: RelatedRowsHost, model: ModelSpec, refuse: Refuse): void {
  const { name } = model
  if (isJoinTable(model)) {
    if (!host.isPublished(name))
      throw refuse(
        `it follows a relation through "${name}", a join table that is not published`,
        `Call rowcast.follow('${name}') before start(), or write models: { ${name}: { live: false, followed: true } }.`,
      )
    if (!hasReadableKeys(model))
      throw refuse(
        `it follows a relation through "${name}", a join table whose keys are not numbers or texts`,
        'Give the join table a model of its own.',
      )
  }
  checkModel(host, model, refuse)
}

function checkModel(host: RelatedRowsHost, { name, primaryKey }: ModelSpec, refuse: Refuse): void {
  if (!host.isPublished(name))
    throw refuse(
      `it follows a relation to ${name}, which is not live`,
      `Call rowcast.register('${name}') before start(), or rowcast.follow('${name}') if nobody is to subscribe to it.`,
    )
  const fault = host.faultOf(name)
  if (fault !== undefined) throw fault
  if (primaryKey.length === 0)
    throw refuse(
      `${name} has no primary key that distinguishes its rows`,
      'Give the model an `@id` or `@@id`.',
    )
  if (!host.hasOldImages(name))
    throw refuse(
      `PostgreSQL does not send the row before a change of ${name}`,
      'Set the replica identity of the table to FULL: rowcast.enable() does.',
    )
}

/** As the library's users see it. */
function given(model: string, event: RelatedEvent, omitted: ReadonlySet<string>): object {
  if (event.kind === 'written') {
    const { change, judgement } = event
    const own = ownRows({ change }, omitted)
    const others = { transition: judgement.transition, ...givenHeard(event.heard) }
    for (const [name, value] of Object.entries(others))
      Object.defineProperty(own, name, { value, enumerable: true })
    return own
  }
  if (event.kind === 'ready') return { action: 'READY', model, cursor: event.cursor }
  const { row, cursor } = event
  // They may have been read once for many.
  const key = ownCopy(event.key)
  const shown = Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) => (omitted.has(name) ? [] : [[name, ownCopy(value)]])),
  )
  const read = { action: 'READ', model, key, old: null, changed: [], unavailable: [], cursor }
  if (event.kind === 'first') return { ...read, transition: 'ENTERED', cause: 'INITIAL', new: shown }
  const { transition, cause, transaction } = event
  const after = transition === 'LEFT' ? null : shown
  return { ...read, transition, cause, new: after, transaction, ...givenHeard(event.heard) }
}

/** What a row hears of the relations that its subscription includes, as the library's users see it. */
function givenHeard(heard: HeardOf | undefined): object {
  if (heard === undefined) return {}
  const via = heard.via.map(({ relation, action, key }) => ({ relation, action, key: ownCopy(key) }))
  return { via, viaCount: heard.viaCount }
}
