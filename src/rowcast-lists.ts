/** Beside the spine. Live lists and totals: what they are made of, and what the library's users get of them. */
import { setTimeout as delay } from 'node:timers/promises'
import { mapIterator } from './async-iteration.ts'
import { badFilter } from './bus/filter/bad-filter.ts'
import { asksRelatedRows } from './bus/filter/change-filter.ts'
import { widenedFilter } from './bus/filter/widened.ts'
import { TurnShare } from './bus/turn-share.ts'
import type { ModelSpec, ModelTypeMap } from './catalog/model-catalog.ts'
import { omittedByPrisma, withWholeRows } from './catalog/prisma-omit.ts'
import { primaryKeyOf } from './catalog/row-key.ts'
import { canonicalText } from './catalog/values/canonical-text.ts'
import type { AnyRow } from './changes/change.ts'
import { bytesOf } from './graphql/reading/row-weights.ts'
import type { Guard } from './guard.ts'
import { checkHasRows, type FirstRowsHost, libraryConditions } from './rowcast-first-rows.ts'
import { checkReadRelations, openFollowed, relatedReading } from './rowcast-list-changes.ts'
import type { LiveLists } from './rowcast-lists-api.ts'
import { givenList, givenTotals } from './rowcast-lists-events.ts'
import {
  type LibraryListOptions,
  type LibraryOptions,
  type LibraryTotalsOptions,
  totalsFields,
} from './rowcast-lists-options.ts'
import { followedModels, parseLibraryFilter, type RelatedRowsHost } from './rowcast-related.ts'
import { type FenceReads, type FindMany, type RowsAtFence, readForRows } from './sets/fence.ts'
import { costOfIncluded } from './sets/included-relation.ts'
import type { KeptSetParts } from './sets/kept-parts.ts'
import type {
  KeptListEvent,
  KeptListRequest,
  KeptRequest,
  KeptTotalsEvent,
  KeptTotalsRequest,
} from './sets/kept-request.ts'
import { KeptSet } from './sets/kept-set.ts'
import { type KeptSetReader, KeptSets } from './sets/kept-sets.ts'
import type { KeptSubscription } from './sets/kept-subscription.ts'
import { type CheckedListBounds, type ListCostOptions, resolveListBounds } from './sets/list-bounds.ts'
import { listOperations, seenOperations } from './sets/list-operations.ts'
import { ListView, type LoadedList, type ShownList } from './sets/list-view.ts'
import { OrderedWindow } from './sets/ordered-window.ts'
import { PageReads } from './sets/page-reads.ts'
import { readRelated } from './sets/read-related.ts'
import { mayBeOfHidden } from './sets/read-relation.ts'
import { readWindow } from './sets/read-window.ts'
import { orderText, parseOrderBy, rowOrderOf } from './sets/row-order.ts'
import type { KeyedRow } from './sets/set-step.ts'
import {
  type LoadedTotals,
  loadedTotals,
  type ShownTotals,
  TotalsView,
  totalsQuery,
} from './sets/totals-view.ts'
import { withoutMarked } from './sets/unmarked-relations.ts'
import { unmarkedWhere } from './sets/unmarked-where.ts'
import { verdictTest } from './sets/unsure-steps.ts'
import { rowIdOf } from './sets/written-rows.ts'

/** What is needed of a rowcast. */
export interface ListsHost
  extends ListCostOptions,
    Pick<FirstRowsHost, 'catalog' | 'prisma' | 'answerTimeoutMs' | 'held' | 'softDeleteOf' | 'rowcast'> {
  readonly related: RelatedRowsHost
  readonly guard: Guard
  /** The PostgreSQL schema of tables that name none. */
  readonly schema: string
  /** @throws CATALOG_MODEL_NOT_REGISTERED, CATALOG_UNKNOWN_MODEL, and what says that the process serves no changes */
  checkLive(model: string): ModelSpec
}

const [TAKE_DEFAULT, TAKE_MAX] = [50, 1_000] as const
/** Rows behind those that are shown: with the number of these, one more for each four, within these bounds. */
const MARGIN_MIN = 10

/** The part of the face. */
export function createLists<Types extends ModelTypeMap, Metadata>(
  host: ListsHost,
): LiveLists<Types, Metadata> {
  const lists = new Lists(host)
  const { catalog, prisma } = host
  const base = (name: string, { where, every, signal }: LibraryOptions) => {
    const model = host.checkLive(name)
    const filter = parseLibraryFilter(model, catalog, { where })
    const request = {
      model: name,
      filter,
      conditions: libraryConditions(model, where, filter),
      every,
      signal,
    }
    return { model, request }
  }
  return {
    list(name, options: LibraryListOptions = {}) {
      const { model, request } = base(name, options)
      const { orderBy, take, totalCount = false } = options
      const order = parseOrderBy(model, catalog, orderBy)
      const events = lists.subscribeList({ ...request, order, take, isCounted: totalCount })
      const omitted = omittedByPrisma(prisma, name)
      return mapIterator(events, (event) => givenList(event, omitted))
    },
    totals(name, options: LibraryTotalsOptions = {}) {
      const { model, request } = base(name, options)
      const fields = totalsFields(model, catalog, options)
      return mapIterator(lists.subscribeTotals({ ...request, fields }), (event) => givenTotals(event))
    },
    subscribeList: (request) => lists.subscribeList(request),
    subscribeTotals: (request) => lists.subscribeTotals(request),
    listCost: () => lists.cost(),
  }
}

type KeptParts<Loaded, Shown, Event> = Pick<
  KeptSetParts<Loaded, Shown, Event>,
  'view' | 'snapshotOf' | 'patchOf'
> & { readonly load: (where: object, reads: SnapshotReads) => Promise<Loaded> }

type ShownRelations = Pick<KeptListRequest, 'relations' | 'asked'>

/** What is kept is followed by these, whoever asks for it. */
type Followed = Pick<KeptRequest, 'filter'> & {
  readonly [Name in keyof ShownRelations]-?: NonNullable<ShownRelations[Name]>
}

interface SnapshotReads extends FenceReads {
  readonly findMany: FindMany
}

/** Those of one rowcast. */
class Lists {
  readonly #host: ListsHost
  readonly #client: object
  readonly #sets: KeptSets
  readonly #reads = new PageReads<RowsAtFence>()
  readonly #turns: TurnShare
  readonly #bounds: CheckedListBounds

  constructor(host: ListsHost) {
    this.#host = host
    this.#bounds = resolveListBounds(host)
    this.#sets = new KeptSets(host.held.bytesMax)
    this.#turns = new TurnShare({ guard: host.guard })
    this.#client = withWholeRows(Object(host.prisma)) as object
  }

  cost() {
    return this.#sets.cost()
  }

  /** @throws BAD_FILTER, FIRST_ROWS_REFUSED, LIST_TOO_COSTLY, FILTER_TOO_COSTLY */
  subscribeList(request: KeptListRequest): KeptSubscription<KeptListEvent> {
    const { catalog } = this.#host
    const model = this.#host.checkLive(request.model)
    const { take = TAKE_DEFAULT, isCounted, relations = [], asked = [] } = request
    if (!Number.isInteger(take) || take < 1 || take > TAKE_MAX)
      throw badFilter('take', 'it is no number of rows.', `Give a whole number from 1 to ${TAKE_MAX}.`)
    const order = rowOrderOf(model, catalog, request.order)
    const margin = Math.max(MARGIN_MIN, Math.ceil(take / 4))
    const keyed = (row: AnyRow): KeyedRow => ({ row, key: primaryKeyOf(model, row) })
    const reading = relatedReading(this.#host)
    const seen = [...relations, ...asked].map((each) => [each.name, each.seen])
    const optional = asked.map(({ isOptional }) => isOptional)
    const kind = ['list', take, isCounted, orderText(order), seen, optional]
    return this.#join(model, request, kind, () => {
      const idOf = (key: AnyRow) => rowIdOf(model, key)
      const shown = [...relations, ...asked.map(({ first }) => first)]
      const readsRelated = asked.length > 0
      const options = { take, margin, order, idOf, bytesOf, relations: shown, readsRelated }
      const window = new OrderedWindow(options)
      const bounds = { rowsMax: window.readCount, bytesMax: this.#sets.ownBytesMax, bytesOf }
      return {
        view: new ListView(window),
        snapshotOf: (state: KeptListEvent | object) => ({ ...state, kind: 'snapshot' }) as KeptListEvent,
        patchOf(before: ShownList, state) {
          const found = listOperations(before.rows, state.shown.rows)
          const operations = seenOperations(found, before.rows, request.filter?.visible?.fields ?? null)
          if (operations.length === 0 && before.totalCount === state.shown.totalCount) return null
          const { totalCount } = state.shown
          const event: KeptListEvent = { ...state, kind: 'patch', shown: { totalCount }, operations }
          return { event, bytes: operations.reduce((sum, { row }) => sum + row.bytes, 0) }
        },
        async load(where, { findMany, summarize, of }): Promise<LoadedList> {
          const { rows, bytes } = await readWindow(findMany, { where, orderBy: order.orderBy }, bounds)
          const totalCount = isCounted ? Number(await summarize('count', { where })) : null
          const related = await readRelated(rows, asked, { ...reading, of, bounds })
          return { rows: rows.map(keyed), totalCount, related, bytes: bytes + (related?.bytes ?? 0) }
        },
      }
    })
  }

  /** @throws BAD_FILTER, FIRST_ROWS_REFUSED, LIST_TOO_COSTLY, FILTER_TOO_COSTLY */
  subscribeTotals(request: KeptTotalsRequest): KeptSubscription<KeptTotalsEvent> {
    const { fields } = request
    const names = [fields.sum, fields.min, fields.max].map((each) => each.map(({ name }) => name))
    const model = this.#host.checkLive(request.model)
    return this.#join(model, request, ['totals', names], () => ({
      view: new TotalsView(fields, this.#host.catalog, bytesOf),
      snapshotOf: (state: KeptTotalsEvent) => state,
      patchOf: (before: ShownTotals, state) => {
        const text = canonicalText(state.shown)
        return text !== null && text === canonicalText(before)
          ? null
          : { event: state, bytes: bytesOf(state.shown) }
      },
      load: async (where, { summarize }): Promise<LoadedTotals> =>
        loadedTotals(await summarize('aggregate', { where, ...totalsQuery(fields) })),
    }))
  }

  #join<Loaded extends { readonly bytes: number }, Shown, Event>(
    model: ModelSpec,
    request: KeptRequest & ShownRelations,
    kind: readonly unknown[],
    partsOf: () => KeptParts<Loaded, Shown, Event>,
  ): KeptSubscription<Event> {
    const { every, filter, conditions, signal, account, relations = [], asked = [] } = request
    const everyMs = this.#bounds.everyOf(every)
    for (const each of [model, ...relations.map(({ related }) => related.model)])
      checkHasRows(this.#host, this.#host.checkLive(each.name))
    const visible = filter?.visible == null ? null : [...filter.visible.fields].sort()
    const isKnown = [...relations, ...asked].every(({ seen }) => seen !== null)
    const key = isKnown ? canonicalText([model.name, everyMs, conditions, visible, kind]) : null
    const filterCost =
      (filter?.cost ?? 0) + costOfIncluded([...relations, ...asked.map(({ first }) => first)])
    const opener = { account: account ?? null, filterCost, everyMs }
    // Nothing of the request beside: what is kept outlives the client that opened it.
    const shown = { filter, relations, asked }
    const subscription = this.#sets.join(key, opener, (home) => {
      const { load, ...parts } = partsOf()
      return new KeptSet<Loaded, Shown, Event>({
        ...this.#sharedParts(model, shown),
        ...parts,
        ...{
          ...home,
          everyMs,
          read: (signal) => this.#read(model, conditions, load, { ...home, signal }),
        },
      })
    })
    if (signal !== undefined) subscription.endOn(signal)
    return subscription
  }

  #sharedParts(model: ModelSpec, { filter, relations, asked }: Followed) {
    const { rowcast, catalog } = this.#host
    const decidedBy = asksRelatedRows(filter) ? followedModels(this.#host.related, model, { filter }) : null
    // Where the database may judge a row otherwise, it is asked.
    const wider = widenedFilter(filter)
    const isAskedAgain = decidedBy !== null
    checkReadRelations(this.#host.related, asked)
    const followed = { model: model.name, filter: wider ?? filter, relations, asked, decidedBy }
    return {
      isAskedAgain,
      isVerdictSame: filter === null || wider === null ? undefined : verdictTest(filter, model, catalog),
      isAnonymous: isAskedAgain || wider !== null || asked.some(mayBeOfHidden),
      changeCursor: () => rowcast().changeCursor(),
      subscribe: (after: string) => openFollowed(this.#host, followed, after),
      whenVisible: (xid: number) => rowcast().whenVisible(xid),
      monotonicMs: () => performance.now(),
      wait: (ms: number) => delay(ms, undefined, { ref: false }),
      turns: this.#turns,
      untaken: this.#sets.untaken,
      counters: this.#sets.counters,
    }
  }

  async #read<Loaded extends { readonly bytes: number }>(
    model: ModelSpec,
    conditions: readonly object[],
    load: KeptParts<Loaded, unknown, unknown>['load'],
    { signal, payer, checkRoom }: KeptSetReader,
  ) {
    const { catalog, softDeleteOf } = this.#host
    const unmarkedOf = (each: ModelSpec) => unmarkedWhere(each, softDeleteOf(each.name))
    // Prisma, which is asked for the rows, knows nothing of marks.
    const asked = conditions.map((each) => withoutMarked({ catalog, unmarkedOf }, model, each))
    const where = { AND: [...asked, unmarkedOf(model) ?? []].flat() }
    let loaded: Loaded | undefined
    let begunAtMs = 0
    const read = async () => {
      // Those before it may have taken the room: of hundreds that there is none for, not all are refused in one turn.
      await this.#turns.wait()
      checkRoom()
      begunAtMs = performance.now()
      return readForRows(this.#client, model, this.#host.answerTimeoutMs, async (findMany, reads) => {
        loaded = await load(where, { findMany, ...reads })
        return []
      })
    }
    const { fence } = await this.#reads.run({ key: null, since: 0, signal, read, owner: payer() })
    const tookMs = performance.now() - begunAtMs
    return { loaded: loaded as Loaded, fence, bytes: (loaded as Loaded).bytes, tookMs }
  }
}
