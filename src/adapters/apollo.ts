/**
 * Beside the spine, adapters. What `rowcast/apollo` exports: rows that live in the cache of Apollo Client 4, kept as the database has them. Apollo
 * Client is the application's: what is needed of it is written down here.
 */
import type { ListChange, ListShape } from '../client/apply-change.ts'
import type { ChangeDocument } from '../client/document-text.ts'
import { createLiveList } from '../client/live-list.ts'
import type { LiveList, LiveListOptions } from '../client/live-list-api.ts'
import { goneKey, goneKeys } from './cache-changes.ts'

/** Of Apollo's cache what is needed. */
export interface ApolloCacheParts {
  evict(options: { readonly id: string }): boolean
  identify(object: { readonly __typename: string }): string | undefined
  updateQuery(options: object, update: (known: object | null) => object): unknown
}

/** Of `ApolloClient` what is needed. */
export interface ApolloParts {
  readonly cache: ApolloCacheParts
  query(options: object): Promise<unknown>
  /** Calls back once `resetStore` has emptied the cache. Returns what ends that. */
  onResetStore(callback: () => Promise<unknown>): () => void
}

/** A query that components read, and the subscription that keeps it. */
export interface KeptQueryOptions<Row extends object, QueryVariables = never, Variables = never>
  extends Omit<LiveListOptions<Row, Variables>, 'load'> {
  readonly apollo: ApolloParts
  /** One root field, which is the list; with the same fields of rows as `new` of the subscription. Parsed, as Apollo has documents. */
  readonly query: Exclude<ChangeDocument<QueryData<Row>, QueryVariables>, string>
  /** Of the query, those that the components give. @default none */
  readonly queryVariables?: ([QueryVariables] extends [never] ? object : QueryVariables) | undefined
  /** The type of the rows: by it and their key the cache knows them. */
  readonly typename: string
}

/** The data of the query. */
export interface QueryData<Row extends object> {
  readonly [list: string]: readonly Row[]
}

/**
 * Keeps a query in Apollo's cache as the database is: loads it past the cache, and writes each change into what `useQuery` reads. The list that it
 * gives shows how it stands, and one's own changes before they have come.
 */
export function keepQuery<Row extends object, QueryVariables = never, Variables = never>(
  options: KeptQueryOptions<Row, QueryVariables, Variables>,
): LiveList<Row> {
  const { apollo, query, queryVariables: variables, typename, ...ofList } = options
  const { key, onChange } = options
  let field = ''
  /** The rows that the cache has of this query. */
  let cached: readonly Row[] = []
  const asked = { query, variables }
  const list = createLiveList<Row>({
    ...(ofList as unknown as LiveListOptions<Row>),
    async load() {
      const answer = await apollo.query({ ...asked, fetchPolicy: 'network-only' })
      const data: object = Object(Reflect.get(Object(answer), 'data'))
      const [[name, rows] = ['', undefined]] = Object.entries(data)
      if (!Array.isArray(rows))
        throw new TypeError('The query gives no list: it has to have one root field, which is one.')
      field = name
      return rows as readonly Row[]
    },
    onChange(change, about) {
      for (const gone of goneKeys(change, { key }, cached)) evict(apollo.cache, typename, gone)
      onChange?.(change, about)
    },
  })
  function write(): void {
    const { rows } = list.state
    if (field === '') return
    cached = rows
    const entities = rows.map((row) => ({ __typename: typename, ...row }))
    const update = (known: object | null) => ({ ...known, [field]: entities })
    // As it is: a `merge` of the application's, for pages, would add to the rows that are there.
    apollo.cache.updateQuery({ ...asked, overwrite: true }, update)
  }
  /** The cache was emptied: its rows are in the list still. */
  async function writeAgain(): Promise<void> {
    if (list.state.status !== 'ended') write()
  }
  const forget = apollo.onResetStore(writeAgain)
  list.listen(() => {
    // What is there already is not put back into a cache that was emptied after the list was stopped.
    if (list.state.rows !== cached) write()
    if (list.state.status === 'ended') forget()
  })
  return list
}

/** Takes out of Apollo's cache the row that a change leaves without an entity: it is gone, or has another key. */
export function evictGone<Row extends object>(
  cache: ApolloCacheParts,
  change: ListChange<Row>,
  { typename, ...shape }: Pick<ListShape<Row>, 'key'> & { readonly typename: string },
): void {
  const gone = goneKey(change, shape)
  if (gone !== null) evict(cache, typename, gone)
}

function evict(cache: ApolloCacheParts, typename: string, key: object): void {
  const id = cache.identify({ __typename: typename, ...key })
  if (id !== undefined) cache.evict({ id })
}
