/**
 * The caches that clients keep, with the packages that they install: what arrives around a row (its old image, its key, its
 * transaction) never ends in the row. After a thousand random changes each cache is the table.
 */

import { readFileSync } from 'node:fs'
import { ApolloClient, gql, InMemoryCache } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { subscriptionExchange, Client as UrqlClient } from '@urql/core'
import { type Cache, cacheExchange } from '@urql/exchange-graphcache'
import { buildSchema, type GraphQLSchema } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import {
  createOperationDescriptor,
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
} from 'relay-runtime'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { evictGone } from '../../src/adapters/apollo.ts'
import { changeKeys, changeUpdates } from '../../src/adapters/urql.ts'
import type { ListChange } from '../../src/client/apply-change.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { relayRequest, relayText } from '../support/relay-artifact.ts'

interface Tag {
  readonly id: string
  readonly name: string
  readonly color: string | null
}
/** The table as a cache has it. */
type Rows = ReadonlyMap<string, Omit<Tag, 'id'>>

interface Change {
  readonly action: ListChange<Tag>['action']
  readonly old: { readonly was: string; readonly rowId: string } | null
  readonly key: { readonly was: string; readonly rowId: string }
  readonly new: Tag | null
}

const CHANGES = 1_000
const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'))
const SUBSCRIPTION = `subscription Changes {
  tagChanged {
    __typename action
    key { was: rowId rowId } old { was: rowId rowId name color }
    new { id name color } transaction { xid index last }
  }
}`

/** A cache that follows. */
interface Follower {
  readonly seen: number
  rows(): Rows
  stop(): void
}

/** What a follower does with a change that the cache does not do by itself: a row that is gone, or has another id. */
const goneOf = ({ key, old, new: row }: Change): string | null => {
  const before = old?.was ?? (row === null ? key.was : null)
  return before !== null && before !== row?.id ? before : null
}

function followByApollo(socket: Client, source: string): Follower {
  const cache = new InMemoryCache()
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache })
  let seen = 0
  const subscription = client
    .subscribe<{ tagChanged: Change }>({ query: gql(source) })
    .subscribe(({ data }) => {
      if (data !== undefined) evictGone(cache, data.tagChanged, { key: 'id', typename: 'Tag' })
      seen += 1
    })
  return {
    get seen() {
      return seen
    },
    rows() {
      const tags = Object.values(cache.extract()).filter(
        (each) => each?.__typename === 'Tag',
      ) as unknown as Tag[]
      return new Map(tags.map(({ id, name, color }) => [id, { name, color }]))
    },
    stop: () => subscription.unsubscribe(),
  }
}

function followByGraphcache(socket: Client, source: string): Follower {
  const ids = new Set<string>()
  let seen = 0
  let rows: Rows = new Map()
  const read = (cache: Cache): Rows =>
    new Map(
      [...ids].flatMap((id) => {
        const entity = { __typename: 'Tag', id }
        const name = cache.resolve(entity, 'name') as string | null | undefined
        return name == null ? [] : [[id, { name, color: cache.resolve(entity, 'color') as string | null }]]
      }),
    )
  const { tagChanged } = changeUpdates<Tag>({ tagChanged: { typename: 'Tag', key: 'id' } })
  const client = new UrqlClient({
    url: 'http://unused.invalid',
    preferGetMethod: false,
    exchanges: [
      cacheExchange({
        keys: changeKeys('Tag'),
        updates: {
          Subscription: {
            tagChanged(result, args, cache) {
              tagChanged?.(result, args, cache)
              const change = result['tagChanged'] as unknown as Change
              if (change.new !== null) ids.add(change.new.id)
              seen += 1
              // A cache is open while it writes.
              if (seen === CHANGES) rows = read(cache)
            },
          },
        },
      }),
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' } as never, sink as never),
          }),
        }),
      }),
    ],
  })
  const { unsubscribe } = client.subscription(source, {}).subscribe(() => undefined)
  return {
    get seen() {
      return seen
    },
    rows: () => rows,
    stop: unsubscribe,
  }
}

function followByRelay(socket: Client, source: string, of: GraphQLSchema): Follower {
  const store = new Store(new RecordSource())
  const environment = new Environment({
    store,
    network: Network.create(() => Observable.create(() => undefined)),
  })
  const operation = createOperationDescriptor(relayRequest(of, source), {})
  // The store forgets what nobody holds.
  const { dispose } = environment.retain(operation)
  store.holdGC()
  let seen = 0
  const unsubscribe = socket.subscribe<{ tagChanged: Change }>(
    { query: relayText(of, source) },
    {
      next({ data }) {
        if (!data) return
        environment.commitPayload(operation, data as never)
        const gone = goneOf(data.tagChanged)
        if (gone !== null) environment.commitUpdate((records) => records.delete(gone))
        seen += 1
      },
      error: () => undefined,
      complete: () => undefined,
    },
  )
  return {
    get seen() {
      return seen
    },
    rows() {
      const records = Object.values(store.getSource().toJSON()) as readonly (Record<string, unknown> | null)[]
      const tags = records.filter((each) => each?.['__typename'] === 'Tag') as unknown as readonly Tag[]
      return new Map(tags.map(({ id, name, color }) => [id, { name, color }]))
    },
    stop() {
      unsubscribe()
      dispose()
    },
  }
}

/** A thousand changes: rows come, change in part or as a whole, get other ids, and go. */
async function change(database: TestDatabase): Promise<void> {
  await database.query(`DO $$
    DECLARE n int;
    BEGIN
      PERFORM setseed(0.5);
      FOR n IN 1..${CHANGES} LOOP
        CASE
          WHEN n <= 40 OR random() < 0.2 THEN
            INSERT INTO "Tag" (name, color) VALUES ('tag ' || n, NULL);
          WHEN random() < 0.2 THEN
            DELETE FROM "Tag" WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
          WHEN random() < 0.05 THEN
            UPDATE "Tag" SET id = id + 100000 WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
          ELSE
            UPDATE "Tag" SET name = 'tag ' || n, color = CASE WHEN random() < 0.5 THEN '#' || lpad((n % 1000)::text, 6, '0') END
              WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
        END CASE;
      END LOOP;
    END $$`)
}

async function stored(database: TestDatabase): Promise<Rows> {
  const rows = await database.query<Tag>('SELECT id::text, name, color FROM "Tag"')
  return new Map(rows.map(({ id, name, color }) => [id, { name, color }]))
}

const FOLLOWERS = [
  followByApollo,
  followByGraphcache,
  (socket: Client, source: string) => followByRelay(socket, source, schema),
]

describe('a cache that only follows', () => {
  it('is the table after a thousand changes, in Apollo Client, Graphcache and Relay', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const socket = createClient({
      url: `${running.url.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
    })
    const open = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
    const before = open()
    const followers = FOLLOWERS.map((follow) => follow(socket, SUBSCRIPTION))
    await expect.poll(open, { timeout: 20_000 }).toBe(before + followers.length)
    await change(database)
    const rows = await stored(database)
    expect(rows.size).toBeGreaterThan(50)
    for (const follower of followers) {
      await expect.poll(() => follower.seen, { timeout: 30_000 }).toBe(CHANGES)
      expect(follower.rows()).toEqual(rows)
      follower.stop()
    }
    await socket.dispose()
  })
})
