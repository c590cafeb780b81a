/** Beside the spine. A subscription of the library that begins with the rows there are: what it is made of, and what it gives. */
import type { BusSubscription, OverflowPolicy, SubscriptionRequest } from './bus/bus.ts'
import { parseChangeFilter } from './bus/filter/change-filter.ts'
import { constantOf } from './bus/filter/condition.ts'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { omittedByPrisma, withWholeRows } from './catalog/prisma-omit.ts'
import type { AnyRow } from './changes/change.ts'
import { RowcastError } from './errors.ts'
import { bytesOf } from './graphql/reading/row-weights.ts'
import { mapIterator, ownRows } from './rowcast-changes.ts'
import { canFence, readAtFence } from './sets/fence.ts'
import type { InitialRows } from './sets/first-row.ts'
import { FirstRows, type FirstRowsEvent, type FirstRowsParts } from './sets/first-rows.ts'
import { noRowOf } from './sets/no-row.ts'
import { PageSizes } from './sets/page-sizes.ts'
import { keyOrderOf } from './sets/read-ranges.ts'
import { ReadTurns } from './sets/read-turns.ts'
import { rowKeyOf, rowsBehind } from './sets/seek.ts'

/** What is needed of a rowcast. */
export interface FirstRowsHost {
  readonly catalog: ModelCatalog
  readonly prisma: unknown
  /** Whether changes come from another process. */
  readonly isScaled: boolean
  readonly overflow: OverflowPolicy | undefined
  readonly softDeleteOf: (model: string) => string | undefined
  /** It comes to be after this. */
  readonly rowcast: () => {
    hasOldImages(model: string): boolean
    changeCursor(): Promise<string>
    subscribeDeliveries(request: SubscriptionRequest): BusSubscription
  }
}

/** Options of `subscribe` that it takes; the others say nothing of a set of rows. */
interface RowsRequest extends Pick<SubscriptionRequest, 'signal' | 'overflow' | 'label'> {
  readonly initial: true | InitialRows
  readonly where?: unknown
  readonly refused: Readonly<Record<string, unknown>>
}

const PAGE_ROWS = 500
const PAGE_ROWS_MAX = 10_000
/** Of one page, in PostgreSQL and for whoever waits. */
const READ_TIMEOUT_MS = 10_000

/** How one rowcast is subscribed to with first rows: they, `READY`, and then changes. @throws FIRST_ROWS_REFUSED, BAD_FILTER */
export function createRowSubscriptions(host: FirstRowsHost) {
  const turns = new ReadTurns()
  return <C>(model: ModelSpec, request: RowsRequest): AsyncIterableIterator<C> => {
    checkRequest(host, model, request)
    const rows = new FirstRows(partsOf({ ...host, turns }, model, request))
    const omitted = omittedByPrisma(host.prisma, model.name)
    return mapIterator(rows, (event) => given(model.name, event, omitted) as C)
  }
}

function partsOf(
  host: FirstRowsHost & { readonly turns: ReadTurns },
  model: ModelSpec,
  request: RowsRequest,
): FirstRowsParts {
  const { catalog } = host
  const { where, signal, label } = request
  const filter = parseChangeFilter(model, catalog, { where })
  const order = rowKeyOf(model).map((field) => ({ field, direction: 'asc' }) as const)
  const isNone = filter?.where != null && constantOf(filter.where) === false
  const rows = isNone ? noRowOf(model.fields) : where
  const conditions = [rows, unmarked(model, host.softDeleteOf(model.name))].filter((each) => each != null)
  const client = withWholeRows(Object(host.prisma)) as object
  const compareKeys = keyOrderOf(model, catalog)
  const pageRows = request.initial === true ? undefined : request.initial.pageSize
  return {
    ...{ compareKeys, signal },
    changeCursor: () => host.rowcast().changeCursor(),
    subscribe: (after) =>
      host.rowcast().subscribeDeliveries({ model: model.name, filter, after, signal, label }),
    readPage: (behind, take) => {
      const and = behind === null ? conditions : [...conditions, rowsBehind(order, behind)]
      const query = {
        where: { AND: and },
        orderBy: order.map(({ field, direction }) => ({ [field.name]: direction })),
        take,
      }
      return host.turns.run(() => readAtFence(client, model.name, query, READ_TIMEOUT_MS))
    },
    keyOf: (row) => Object.fromEntries(model.primaryKey.map((name) => [name, row[name]])),
    sizes: new PageSizes(pageRows ?? (compareKeys === null ? PAGE_ROWS_MAX : PAGE_ROWS), bytesOf),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }
}

/** The rows that are not marked as deleted. */
function unmarked(model: ModelSpec, softDelete: string | undefined): object | null {
  const field = model.fields.find(({ name }) => name === softDelete)
  if (field === undefined) return null
  if (field.type !== 'Boolean') return { [field.name]: null }
  return field.isRequired
    ? { [field.name]: false }
    : { OR: [{ [field.name]: false }, { [field.name]: null }] }
}

function checkRequest(host: FirstRowsHost, model: ModelSpec, request: RowsRequest): void {
  const { prisma, isScaled, overflow } = host
  const other = Object.entries(request.refused).find(([, value]) => value !== undefined)
  if (other !== undefined)
    throw refused(
      `\`${other[0]}\` asks for changes, and \`initial\` for rows.`,
      'Ask for rows with `where` alone.',
    )
  if ((request.overflow ?? overflow) === 'conflate')
    throw refused('A subscription that conflates cannot begin with rows.', "Leave `overflow` at 'end'.")
  if (isScaled) throw refused('A gateway has no first rows.', "Ask a process with role: 'all'.")
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
  if (!host.rowcast().hasOldImages(model.name))
    throw refused(
      `PostgreSQL does not send the row before a change of ${model.name}.`,
      'Set the replica identity of the table to FULL: rowcast.enable() does.',
    )
  const { pageSize } = request.initial === true ? {} : request.initial
  if (pageSize === undefined || (Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= PAGE_ROWS_MAX))
    return
  throw refused('`pageSize` is no size.', `Give a whole number from 1 to ${PAGE_ROWS_MAX}.`)
}

function refused(happened: string, hint: string): RowcastError {
  return new RowcastError('FIRST_ROWS_REFUSED', happened, { hint })
}

/** As the library's users see it. */
function given(model: string, event: FirstRowsEvent, omitted: ReadonlySet<string>): object {
  if (event.kind === 'change') return ownRows(event.delivery, omitted)
  if (event.kind === 'ready') return { action: 'READY', model, cursor: event.cursor }
  const { transition, key, row, cursor } = event
  const shown = row === null ? null : withoutOmitted(row, omitted)
  return {
    ...{ action: 'READ', model, transition, cause: 'INITIAL', key, old: null, new: shown },
    ...{ changed: [], unavailable: [], cursor },
  }
}

function withoutOmitted(row: AnyRow, omitted: ReadonlySet<string>): AnyRow {
  return omitted.size === 0
    ? row
    : Object.fromEntries(Object.entries(row).filter(([name]) => !omitted.has(name)))
}
