/** Beside the spine. Subscriptions of the library whose `where` follows relations: what they need, and what they give. */
import type { InProcessBus, OverflowPolicy } from './bus/bus.ts'
import { badFilter } from './bus/filter/bad-filter.ts'
import { type ChangeFilter, type ChangeFilterInput, parseChangeFilter } from './bus/filter/change-filter.ts'
import { type Condition, type KeySetSpec, keySetsOf } from './bus/filter/condition.ts'
import { isFilterObject } from './bus/filter/filter-object.ts'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { omittedByPrisma, withWholeRows } from './catalog/prisma-omit.ts'
import type { RowcastError } from './errors.ts'
import { bytesOf } from './graphql/reading/row-weights.ts'
import type { Guard } from './guard.ts'
import { mapIterator, ownRows } from './rowcast-changes.ts'
import { canFence, type RowsAtFence } from './sets/fence.ts'
import type { ReadRows } from './sets/key-set.ts'
import { PageReads } from './sets/page-reads.ts'
import type { RelatedEvent } from './sets/related-event.ts'
import { RelatedRowReader } from './sets/related-row-reader.ts'
import { readRowsAt } from './sets/rows-at.ts'
import { SetsBus } from './sets/sets-bus.ts'
import { StreamFollower } from './sets/stream-follower.ts'
import type { VisibilityGate } from './source/db/visibility.ts'

/** The bus in front of one that follows no relations. */
export function withRelatedRows(bus: InProcessBus, parts: RelatedRowsParts): SetsBus {
  const { prisma, visibility, guard } = parts
  const monotonicMs = () => performance.now()
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  const follower = new StreamFollower({ bus, monotonicMs, wait, look: () => visibility.look() })
  const reader = new RelatedRowReader({
    ...{ progress: follower, turns: new PageReads<RowsAtFence>(), bytesOf, monotonicMs, wait },
    client: Object(withWholeRows(Object(prisma))),
  })
  const readRows: ReadRows = (request, ordinal) => readRowsAt(reader, ordinal, request)
  return new SetsBus({ bus, follower, guard, reading: { readRows } })
}

/** What it is made of. */
interface RelatedRowsParts {
  readonly prisma: unknown
  readonly visibility: VisibilityGate
  readonly guard: Guard
}

/** What is needed of a rowcast. */
export interface RelatedRowsHost {
  readonly bus: SetsBus
  readonly catalog: ModelCatalog
  readonly prisma: unknown
  /** Whether changes come from another process. */
  readonly isScaled: boolean
  readonly overflow: OverflowPolicy | undefined
  readonly softDeleteOf: (model: string) => string | undefined
  readonly isRegistered: (model: string) => boolean
  readonly hasOldImages: (model: string) => boolean
  readonly faultOf: (model: string) => RowcastError | undefined
}

/** What is asked for. */
interface RelatedRowsRequest {
  readonly model: ModelSpec
  readonly filter: ChangeFilter
  readonly after?: string | undefined
  readonly overflow?: OverflowPolicy | undefined
  readonly signal?: AbortSignal | undefined
  /** Other options that were given; they say nothing of a set of rows. */
  readonly refused: Readonly<Record<string, unknown>>
}

/** A filter of the library. What `old` and `new` say of one image has no meaning for a row that no write brought. @throws BAD_FILTER */
export function parseLibraryFilter(
  model: ModelSpec,
  catalog: ModelCatalog,
  input: ChangeFilterInput,
): ChangeFilter | null {
  const isOfRows = input.old === undefined && input.new === undefined
  return parseChangeFilter(model, catalog, input, { relations: isOfRows ? {} : undefined })
}

/** Whether a filter of the model names one of its relations. */
export function namesRelation(model: ModelSpec, where: unknown): boolean {
  if (Array.isArray(where)) return where.some((part) => namesRelation(model, part))
  if (!isFilterObject(where)) return false
  return Object.entries(where).some(([name, part]) =>
    GROUPS.has(name)
      ? namesRelation(model, part)
      : model.relations.some((relation) => relation.name === name),
  )
}

const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

/** Subscribes to rows that other rows decide about. @throws BAD_FILTER, BAD_CURSOR, and what is wrong with a model */
export function subscribeRelated<C>(
  host: RelatedRowsHost,
  request: RelatedRowsRequest,
): AsyncIterableIterator<C> {
  const { model, filter, after, signal } = request
  const sets = filter.where === null ? [] : allSetsOf(filter.where)
  checkRequest(host, request)
  for (const spec of [model, ...sets.map((set) => set.model)]) checkModel(host, spec)
  const setModels = new Set(sets.map((set) => set.model.name))
  const events = host.bus.subscribeRelated({ model, filter, setModels, after }, signal)
  const omitted = omittedByPrisma(host.prisma, model.name)
  return mapIterator(events, (event) => given(model.name, event, omitted) as C)
}

/** The sets of a condition, and those that they ask. */
export function allSetsOf(condition: Condition): readonly KeySetSpec[] {
  return keySetsOf(condition).flatMap((set) => [set, ...allSetsOf(set.condition)])
}

function checkRequest({ isScaled, overflow, prisma }: RelatedRowsHost, request: RelatedRowsRequest): void {
  const other = Object.entries(request.refused).find(([, value]) => value !== undefined)
  if (other !== undefined)
    throw refused(`with \`${other[0]}\` it may not follow relations`, 'Ask for rows with `where` alone.')
  if ((request.overflow ?? overflow) === 'conflate')
    throw refused('a subscription that conflates follows no relations', "Leave `overflow` at 'end'.")
  if (isScaled)
    throw refused('a gateway follows no relations', "Ask a process with role: 'all', without a broker.")
  if (!canFence(prisma))
    throw refused(
      'there is no Prisma Client to read related rows with',
      'Give createRowcast a `prisma` with $transaction.',
    )
}

function checkModel(host: RelatedRowsHost, { name, primaryKey }: ModelSpec): void {
  if (host.catalog.models[name] === undefined)
    throw refused(
      `it follows a relation through "${name}", a join table that is not published`,
      'Give the join table a model of its own.',
    )
  if (!host.isRegistered(name))
    throw refused(
      `it follows a relation to ${name}, which is not live`,
      `Call rowcast.register('${name}') before start().`,
    )
  const fault = host.faultOf(name)
  if (fault !== undefined) throw fault
  if (primaryKey.length === 0)
    throw refused(
      `${name} has no primary key that distinguishes its rows`,
      'Give the model an `@id` or `@@id`.',
    )
  if (host.softDeleteOf(name) !== undefined)
    throw refused(
      `${name} is registered with softDelete, and no relations are followed with its rows`,
      'Register it without, and name the field in `where`.',
    )
  if (!host.hasOldImages(name))
    throw refused(
      `PostgreSQL does not send the row before a change of ${name}`,
      'Set the replica identity of the table to FULL: rowcast.enable() does.',
    )
}

function refused(why: string, hint: string): RowcastError {
  return badFilter('where', `${why}.`, hint)
}

/** As the library's users see it. */
function given(model: string, event: RelatedEvent, omitted: ReadonlySet<string>): object {
  if (event.kind === 'written') {
    const { change, judgement } = event
    const own = ownRows({ change }, omitted)
    return Object.defineProperty(own, 'transition', { value: judgement.transition, enumerable: true })
  }
  const { transition, cause, key, row, cursor, transaction } = event
  const shown = Object.fromEntries(Object.entries(row).filter(([name]) => !omitted.has(name)))
  return {
    ...{ action: 'READ', model, transition, cause, key, old: null },
    ...{ new: transition === 'ENTERED' ? shown : null, changed: [], unavailable: [], cursor, transaction },
  }
}
