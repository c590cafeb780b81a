/**
 * Stage 7, graphql. Several databases behind one schema: each model has the feed and the Prisma Client of its own. Nothing is shared
 * among them but the schema: no transaction, no order, no cursor.
 */

import type { Explanation } from '../bus/explanation.ts'
import type { PulledEvents } from '../bus/mapped-pull.ts'
import { joinCatalogs, sharedName } from '../catalog/joined-catalog.ts'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { delegateName, prismaNameOf } from '../catalog/prisma-omit.ts'
import { RowcastError } from '../errors.ts'
import type {
  KeptListEvent,
  KeptListRequest,
  KeptTotalsEvent,
  KeptTotalsRequest,
} from '../sets/kept-request.ts'
import type { RelatedRowsRequest } from '../sets/related-request.ts'
import type { EventSubscription, RowsRequest } from '../sets/row-subscription.ts'
import { type ChangeFeed, followsNoRelations } from './change-feed.ts'
import { CLIENT_OF, type PrismaClientLike } from './prisma-delegate.ts'

/** One database. */
export interface ChangeSource<Prisma extends object = object> {
  /** Its rowcast. */
  readonly feed: ChangeFeed
  /** The Prisma Client of the same schema. */
  readonly prisma: Prisma
}

/** Databases by their names, which GraphQL shows: letters, digits and `_`. */
export type ChangeSources = Readonly<Record<string, ChangeSource>>

/** A client with the delegates of all. */
export type JoinedClient<Sources extends ChangeSources> = AllOf<Sources[keyof Sources]['prisma']>

type AllOf<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never

const SOURCE_NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/

/** Whether a source can be called so. */
export function isSourceName(name: string): boolean {
  return SOURCE_NAME.test(name) && !['true', 'false', 'null'].includes(name)
}

/**
 * One feed and one Prisma Client for the schema of several databases: `joinSources({ main: { feed, prisma }, billing: { feed, prisma } })`. The
 * feed goes into a Pothos builder or `addChanges`, the client into Pothos' `prisma: { client }`. `Query.changeCursor` then takes the `source`.
 * @throws GRAPHQL_BAD_NAME where two have a model or an enum of the same name, CONFIG_BAD_NAME where GraphQL cannot show the name of a source
 */
export function joinSources<const Sources extends ChangeSources>(
  sources: Sources,
): { readonly feed: ChangeFeed; readonly prisma: JoinedClient<Sources> } {
  const odd = Object.keys(sources).find((name) => !isSourceName(name))
  if (odd !== undefined) {
    throw new RowcastError('CONFIG_BAD_NAME', `A source cannot be called "${odd}".`, {
      hint: 'Use letters, digits and _, a letter first.',
    })
  }
  return { feed: new JoinedFeed(sources), prisma: joinClients(sources) as JoinedClient<Sources> }
}

function joinClients(sources: ChangeSources): PrismaClientLike {
  const clients = Object.values(sources).map(({ prisma }) => prisma)
  const onAll = (method: string) => async () => {
    await Promise.all(clients.map((client) => (Reflect.get(client, method) as () => unknown).call(client)))
  }
  const owners = new Map(
    Object.values(sources).flatMap(({ feed, prisma }) =>
      Object.keys(feed.catalog.models).map((model) => [model, prisma] as const),
    ),
  )
  const joined = {
    $connect: onAll('$connect'),
    $disconnect: onAll('$disconnect'),
    [CLIENT_OF]: (model: string) => owners.get(model),
  }
  const delegates = new Map<string, string>()
  for (const [source, { feed, prisma }] of Object.entries(sources)) {
    for (const spec of Object.values<ModelSpec>(feed.catalog.models)) {
      const name = delegateName(spec.name)
      const other = delegates.get(name)
      // `User` and `user` are two models, and one property.
      if (other !== undefined) throw sharedName(spec.name, [other, source])
      delegates.set(name, source)
      const get = () => Reflect.get(prisma, delegateName(prismaNameOf(spec))) as unknown
      Object.defineProperty(joined, name, { get, enumerable: true })
    }
  }
  return joined
}

/** Each question goes to the feed of its model. */
class JoinedFeed implements ChangeFeed {
  readonly catalog: ModelCatalog
  readonly sources: readonly string[]
  /** Asked each time: `register()` may come later. */
  readonly policies: NonNullable<ChangeFeed['policies']> = {
    has: (model) => this.#owners.get(model)?.policies?.has(model) ?? false,
    get: (model) => this.#owners.get(model)?.policies?.get(model),
  }
  readonly #feeds: ReadonlyMap<string, ChangeFeed>
  readonly #owners: ReadonlyMap<string, ChangeFeed>

  constructor(sources: ChangeSources) {
    const feeds = Object.entries(sources).map(([name, { feed }]) => [name, feed] as const)
    this.catalog = joinCatalogs(Object.fromEntries(feeds.map(([name, { catalog }]) => [name, catalog])))
    this.sources = Object.keys(sources)
    this.#feeds = new Map(feeds)
    this.#owners = new Map(
      feeds.flatMap(([, feed]) => Object.keys(feed.catalog.models).map((model) => [model, feed] as const)),
    )
  }

  isRegistered(model: string): boolean {
    return this.#owners.get(model)?.isRegistered(model) ?? false
  }

  isPublished(name: string, beside: string): boolean {
    const feed = this.#of(beside)
    return feed.isPublished?.(name, beside) ?? feed.isRegistered(name)
  }

  subscribeDeliveries(request: Parameters<ChangeFeed['subscribeDeliveries']>[0]) {
    return this.#of(request.model).subscribeDeliveries(request)
  }

  subscribeRows(request: RowsRequest): EventSubscription {
    const feed = this.#of(request.model)
    if (feed.subscribeRows !== undefined) return feed.subscribeRows(request)
    throw new RowcastError('FIRST_ROWS_REFUSED', `Subscriptions to ${request.model} do not begin with rows.`)
  }

  subscribeRelated(request: RelatedRowsRequest): EventSubscription {
    const feed = this.#of(request.model)
    if (feed.subscribeRelated !== undefined) return feed.subscribeRelated(request)
    throw followsNoRelations(request.model)
  }

  subscribeList(request: KeptListRequest): PulledEvents<KeptListEvent> {
    const feed = this.#of(request.model)
    if (feed.subscribeList !== undefined) return feed.subscribeList(request)
    throw new RowcastError('FIRST_ROWS_REFUSED', `There are no live lists of ${request.model}.`)
  }

  subscribeTotals(request: KeptTotalsRequest): PulledEvents<KeptTotalsEvent> {
    const feed = this.#of(request.model)
    if (feed.subscribeTotals !== undefined) return feed.subscribeTotals(request)
    throw new RowcastError('FIRST_ROWS_REFUSED', `There are no live totals of ${request.model}.`)
  }

  changeCursor(source = ''): Promise<string> {
    const feed = this.#feeds.get(source)
    if (feed !== undefined) return feed.changeCursor()
    return Promise.reject(
      new RowcastError('BAD_CURSOR', `There is no source "${source}" that a cursor could be of.`, {
        hint: `Name one of ${this.sources.join(', ')}.`,
      }),
    )
  }

  whenLive(model: string): Promise<void> | null {
    return this.#of(model).whenLive?.(model) ?? null
  }

  whenVisible(xid: number, model: string): Promise<void> {
    return this.#of(model).whenVisible(xid, model)
  }

  async explain(request: Parameters<NonNullable<ChangeFeed['explain']>>[0]): Promise<Explanation> {
    const feed = this.#of(request.model.name)
    if (feed.explain !== undefined) return feed.explain(request)
    throw new RowcastError('GRAPHQL_BAD_SCHEMA', `The feed of ${request.model.name} cannot explain anything.`)
  }

  hasOldImages(model: string): boolean {
    return this.#of(model).hasOldImages(model)
  }

  #of(model: string): ChangeFeed {
    const feed = this.#owners.get(model)
    if (feed !== undefined) return feed
    throw new RowcastError('CATALOG_UNKNOWN_MODEL', `No source has a model "${model}".`)
  }
}
