/** Beside the spine. A subscription of the library that begins with the rows there are: what it is made of, and what it gives. */

import { setTimeout as delay } from 'node:timers/promises'
import { mapIterator } from './async-iteration.ts'
import type { BusSubscription, SubscriptionRequest } from './bus/bus.ts'
import { type ChangeFilter, parseChangeFilter } from './bus/filter/change-filter.ts'
import { constantOf } from './bus/filter/condition.ts'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { omittedByPrisma, withWholeRows } from './catalog/prisma-omit.ts'
import { primaryKeyOf } from './catalog/row-key.ts'
import { canonicalText } from './catalog/values/canonical-text.ts'
import type { AnyRow } from './changes/change.ts'
import { RowcastError } from './errors.ts'
import { ownCopy } from './graphql/policy/own-copy.ts'
import { bytesOf } from './graphql/reading/row-weights.ts'
import type { Guard } from './guard.ts'
import { ownRows } from './rowcast-changes.ts'
import { canFence, type FencedRows, type RowsAtFence, readAtFence } from './sets/fence.ts'
import type { InitialRows } from './sets/first-row.ts'
import { FirstRows, type FirstRowsEvent, type FirstRowsParts } from './sets/first-rows.ts'
import type { HeldPages } from './sets/held-pages.ts'
import { noRowOf } from './sets/no-row.ts'
import { PageReads } from './sets/page-reads.ts'
import { PageSizes } from './sets/page-sizes.ts'
import { keyOrderOf } from './sets/read-ranges.ts'
import { type EventSubscription, RowSubscription, type RowsRequest } from './sets/row-subscription.ts'
import { rowKeyOf, rowsBehind } from './sets/seek.ts'
import type { SetsBus } from './sets/sets-bus.ts'
import { type RowsBeginning, SharedBeginnings } from './sets/shared-beginnings.ts'
import { type TableNames, TableStamps } from './sets/table-stamps.ts'
import { unmarkedWhere } from './sets/unmarked-where.ts'

/** What is needed of a rowcast. */
export interface FirstRowsHost {
  readonly catalog: ModelCatalog
  readonly prisma: unknown
  /** How long a page may take in PostgreSQL, and a connection of the application's pool to be had. */
  readonly answerTimeoutMs: number
  /** The pages of all subscriptions. */
  readonly held: HeldPages
  readonly softDeleteOf: (model: string) => string | undefined
  readonly bus: Pick<SetsBus, 'history' | 'watchers'>
  readonly guard: Pick<Guard, 'wrap'>
  readonly names: TableNames
  /** The cursor for now, and where the WAL ended then. */
  readonly lookNow: () => Promise<RowsBeginning>
  /** It comes to be after this. */
  readonly rowcast: () => {
    hasOldImages(model: string): boolean
    changeCursor(): Promise<string>
    subscribeDeliveries(request: SubscriptionRequest): BusSubscription
    whenVisible(xid: number): Promise<void>
  }
}

/** Options of the library's `subscribe` that it takes; the others say nothing of a set of rows. */
interface LibraryRequest extends Pick<RowsRequest, 'signal' | 'overflow' | 'label' | 'refused'> {
  readonly initial: true | InitialRows
  readonly where?: unknown
}

/** How one rowcast is subscribed to with first rows: they, `READY`, and then changes. */
export interface RowSubscriptions {
  /** For the library's users. @throws FIRST_ROWS_REFUSED, BAD_FILTER */
  subscribe<C>(model: ModelSpec, request: LibraryRequest): AsyncIterableIterator<C>
  /** For GraphQL: with what the viewer may see. @throws FIRST_ROWS_REFUSED */
  subscribeRows(model: ModelSpec, request: RowsRequest): EventSubscription
}

const PAGE_ROWS = 500
const PAGE_ROWS_MAX = 10_000
/** What is kept of pages for those who ask for the same a moment later. */
const KEPT_MS = 30_000
const KEPT_BYTES = 4 * 1024 * 1024
/** Those of one rowcast: it reads each page once for all who ask for it. */
export function createRowSubscriptions(host: FirstRowsHost): RowSubscriptions {
  const { held, bus, guard } = host
  const kept = {
    ...{ ms: KEPT_MS, guard },
    bytesMax: Math.min(KEPT_BYTES, held.pageBytesMax),
    bytesOf: ({ bytes }: FencedRows) => bytes,
  }
  const reads = new PageReads<FencedRows>({ kept })
  const now = () => performance.now()
  const beginnings = new SharedBeginnings({ history: () => bus.history, now, wait: delay })
  bus.watchers.add(beginnings)
  const stamps = new TableStamps(host)
  const firstRows = (model: ModelSpec, request: RowsRequest) => {
    checkRequest(host, model, request)
    return new FirstRows(partsOf({ ...host, reads, beginnings, stamps }, model, request))
  }
  return {
    subscribe<C>(model: ModelSpec, request: LibraryRequest) {
      const rows = firstRows(model, requestOf(host, model, request))
      const omitted = omittedByPrisma(host.prisma, model.name)
      return mapIterator(rows, (event) => given(model.name, event, omitted) as C)
    },
    subscribeRows(model, request) {
      const options = { model: model.name, copy: (row: AnyRow) => ownCopy(row) as AnyRow }
      return new RowSubscription(firstRows(model, request), options)
    },
  }
}

function requestOf({ catalog }: FirstRowsHost, model: ModelSpec, request: LibraryRequest): RowsRequest {
  const { where, initial, ...rest } = request
  const filter = parseChangeFilter(model, catalog, { where })
  const conditions = libraryConditions(model, where, filter)
  const pageSize = initial === true ? undefined : initial.pageSize
  return { ...rest, model: model.name, filter, conditions, pageSize }
}

/** A `where` of the library's users, as Prisma Client takes it. */
export function libraryConditions(
  model: ModelSpec,
  where: unknown,
  filter: ChangeFilter | null,
): readonly object[] {
  const isNone = filter?.where != null && constantOf(filter.where) === false
  return where == null ? [] : [isNone ? noRowOf(model.fields) : (where as object)]
}

function partsOf(
  host: FirstRowsHost & {
    readonly reads: PageReads
    readonly beginnings: SharedBeginnings
    readonly stamps: TableStamps
  },
  model: ModelSpec,
  { filter, conditions: asked, pageSize, signal, label, account, overflow }: RowsRequest,
): FirstRowsParts {
  const { catalog, reads, held } = host
  const order = rowKeyOf(model).map((field) => ({ field, direction: 'asc' }) as const)
  const conditions = [...asked, unmarkedWhere(model, host.softDeleteOf(model.name))].filter(
    (each) => each !== null,
  )
  const client = withWholeRows(Object(host.prisma)) as object
  const compareKeys = keyOrderOf(model, catalog)
  let since = 0
  return {
    ...{ compareKeys, signal, held, account },
    async changeCursor() {
      const { losses } = host.beginnings
      const [beginning, stamp] = await Promise.all([host.lookNow(), host.stamps.of(model)])
      const own = { ...beginning, stamp, losses }
      since = await host.beginnings.sinceOf(model.name, own, reads.begun)
      return beginning.cursor
    },
    subscribe: (after) =>
      host
        .rowcast()
        .subscribeDeliveries({ model: model.name, filter, after, signal, label, account, overflow }),
    readPage(behind, take, ending) {
      const query = {
        where: { AND: behind === null ? conditions : [...conditions, rowsBehind(order, behind)] },
        orderBy: order.map(({ field, direction }) => ({ [field.name]: direction })),
        take,
      }
      const read = async () =>
        fitted(await readAtFence(client, model, query, host.answerTimeoutMs), held.pageBytesMax)
      const key = canonicalText([model.name, conditions, behind, take])
      return reads.run({ key, since, signal: ending, read, owner: account })
    },
    keyOf: (row) => primaryKeyOf(model, row),
    sizes: new PageSizes(
      pageSize ?? (compareKeys === null ? PAGE_ROWS_MAX : PAGE_ROWS),
      () => held.pageBytes,
    ),
    wait: delay,
  }
}

/** The page with what it takes, or as many of its first rows as fit; the first of them, however large. */
function fitted({ rows, fence }: RowsAtFence, bytesMax: number): FencedRows {
  let bytes = 0
  for (const [index, row] of rows.entries()) {
    const more = bytesOf(row)
    if (index > 0 && bytes + more > bytesMax) return { rows: rows.slice(0, index), fence, bytes, isCut: true }
    bytes += more
  }
  return { rows, fence, bytes }
}

function checkRequest(host: FirstRowsHost, model: ModelSpec, request: RowsRequest): void {
  checkAsksForRows(request.refused)
  checkHasRows(host, model)
  const { pageSize } = request
  if (pageSize === undefined || (Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= PAGE_ROWS_MAX))
    return
  throw refused('`pageSize` is no size.', `Give a whole number from 1 to ${PAGE_ROWS_MAX}.`)
}

/** What is needed to begin with rows, whichever they are. @throws FIRST_ROWS_REFUSED */
export function checkHasRows(
  { prisma, rowcast }: Pick<FirstRowsHost, 'prisma' | 'rowcast'>,
  model: ModelSpec,
): void {
  if (model.primaryKey.length === 0)
    throw refused(
      `${model.name} has no primary key that distinguishes its rows.`,
      'Give the model an `@id` or `@@id`.',
    )
  if (!canFence(prisma))
    throw refused(
      'There is no Prisma Client to read rows with.',
      'Give createRowcast a `prisma` with $transaction.',
    )
  if (!rowcast().hasOldImages(model.name))
    throw refused(
      `PostgreSQL does not send the row before a change of ${model.name}.`,
      'Set the replica identity of the table to FULL: rowcast.enable() does.',
    )
}

/** Refuses what says nothing of a set of rows. @throws FIRST_ROWS_REFUSED */
export function checkAsksForRows(parts: RowsRequest['refused']): void {
  const other = Object.entries(parts).find(([, value]) => value !== undefined)
  if (other === undefined) return
  throw refused(
    `\`${other[0]}\` asks for changes, and \`initial\` for rows.`,
    'Ask for rows with `where` alone.',
  )
}

/** What cannot have first rows. */
export function refused(happened: string, hint: string): RowcastError {
  return new RowcastError('FIRST_ROWS_REFUSED', happened, { hint })
}

/** As the library's users see it. */
function given(model: string, event: FirstRowsEvent, omitted: ReadonlySet<string>): object {
  if (event.kind === 'change') return ownRows(event.delivery, omitted)
  if (event.kind === 'ready') return { action: 'READY', model, cursor: event.cursor }
  const { transition, key, row, cursor } = event
  // The page may be of several subscriptions.
  const shown = row === null ? null : (ownCopy(withoutOmitted(row, omitted)) as AnyRow)
  return {
    ...{ action: 'READ', model, transition, cause: 'INITIAL', key, old: null, new: shown },
    ...{ changed: [], unavailable: [], cursor },
  }
}

/** As the rows of the Prisma Client are. */
export function withoutOmitted(row: AnyRow, omitted: ReadonlySet<string>): AnyRow {
  return omitted.size === 0
    ? row
    : Object.fromEntries(Object.entries(row).filter(([name]) => !omitted.has(name)))
}
