/**
 * Beside the spine, adapters. What `rowcast/urql` exports: what Graphcache, urql's normalised cache, has to do with changes. It is the application's:
 * what is needed of it is written down here.
 */
import type { ListChange, ListShape } from '../client/apply-change.ts'
import { changedData, goneKeys, rowsIn } from './cache-changes.ts'

/** What a subscription of changes does to the cache. */
export interface CacheUpdate<Row extends object> extends ListShape<Row> {
  /** The type of the rows. */
  readonly typename: string
  /** Queries that components read, of which a root field is a list of the rows. @default none: rows that are known change, and go */
  readonly lists?: readonly CachedList[] | undefined
}

/** A query that is in the cache. */
export interface CachedList {
  /** As the components give it to `useQuery`. */
  readonly query: string | object
  readonly variables?: object | undefined
  /** Its root field. */
  readonly field: string
}

/** Of Graphcache's cache what is needed. */
export interface GraphcacheParts {
  invalidate(entity: unknown): void
  updateQuery(input: object, update: (known: object | null) => object | null): void
}

type Updater = (result: object, args: unknown, cache: GraphcacheParts) => void

/**
 * For `updates.Subscription` of Graphcache: by the name of a subscription's field, what its changes do. Rows come into the cache by themselves; those that are
 * gone leave it, and the lists have and lose them.
 */
export function changeUpdates<Row extends object>(
  updates: Readonly<Record<string, CacheUpdate<Row>>>,
): Record<string, Updater> {
  const entries = Object.entries(updates).map(([name, update]): [string, Updater] => [
    name,
    (result, _args, cache) => {
      const change = Reflect.get(result, name) as ListChange<Row> | null
      if (change === null) return
      const known: Row[] = []
      for (const { query, variables, field } of update.lists ?? []) {
        const next = (data: object | null) => {
          known.push(...rowsIn<Row>(data, field))
          return data && changedData(data, field, change, update)
        }
        cache.updateQuery({ query, variables }, next)
      }
      for (const gone of goneKeys(change, update, known))
        cache.invalidate({ __typename: update.typename, ...gone })
    },
  ])
  return Object.fromEntries(entries)
}

/** What is called after a model around its changes, its live lists and its totals. */
const CHANGE_PARTS = ['Inserted', 'Updated', 'Deleted', 'Truncated', 'Read', 'Ready', 'Key', 'Old']
const LIST_PARTS = ['ListSnapshot', 'ListPatch', 'ListOperation']
const TOTALS_PARTS = ['Totals', 'TotalsSum', 'TotalsMin', 'TotalsMax']
const SHARED_TYPES = ['ChangeTransaction', 'ChangeMetadata', 'CommittedTransaction', 'CommittedChanges']

/**
 * For `keys` of Graphcache: the types around the rows of these models, which are no entities. It would warn of each.
 * @param models as GraphQL calls them; with a relation, `Post.comments`, the type of what a subscription with `include` shows of that in `via`
 */
export function changeKeys(...models: readonly string[]): Record<string, () => null> {
  const parts = [...CHANGE_PARTS, ...LIST_PARTS, ...TOTALS_PARTS]
  const names = models.flatMap((name) => {
    const [model = '', relation] = name.split('.')
    const via = relation && `${model}Via${relation.charAt(0).toUpperCase()}${relation.slice(1)}`
    return via ? [via] : parts.map((part) => model + part)
  })
  return Object.fromEntries([...names, ...SHARED_TYPES].map((name) => [name, () => null]))
}
