import type { ApolloClient } from '@apollo/client'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { createCollection } from '@tanstack/db'
import { expectTypeOf } from 'vitest'
import { keepQuery } from '../../src/adapters/apollo.ts'
import { useChanges, useFollowedList, useLiveList } from '../../src/adapters/react.ts'
import { rowcastCollectionOptions } from '../../src/adapters/tanstack-db.ts'
import {
  type ChangeClient,
  createLiveList,
  followChanges,
  followList,
  subscribeResumable,
} from '../../src/client/client.ts'
import {
  type ListedTagFragment,
  TagChangesDocument,
  type TagChangesSubscription,
  TagListDocument,
  TransactionsDocument,
  type TransactionsSubscription,
} from '../generated/gql/graphql.ts'

declare const client: ChangeClient
const listed = { query: TagListDocument, variables: { take: 3 } }
const changed = { query: TagChangesDocument }
const committed = { query: TransactionsDocument }

// A typed document in, typed rows out.
expectTypeOf(followList({ client, request: listed, key: 'id' }).state.rows).toEqualTypeOf<
  readonly ListedTagFragment[]
>()
expectTypeOf(createLiveList({ client, request: changed, key: 'id' }).state.rows).toEqualTypeOf<
  readonly ListedTagFragment[]
>()
expectTypeOf(followChanges({ client, request: committed }).state.changes).toEqualTypeOf<
  readonly TransactionsSubscription['changes'][]
>()
for await (const data of subscribeResumable(client, changed))
  expectTypeOf(data).toEqualTypeOf<TagChangesSubscription>()
expectTypeOf(useFollowedList({ client, request: listed, key: 'id' }).rows).toEqualTypeOf<
  readonly ListedTagFragment[]
>()
const live = useLiveList({
  client,
  request: changed,
  key: 'id',
  sort: (a, b) => a.name.localeCompare(b.name),
  where: ({ id }) => id !== '1',
})
expectTypeOf(live.rows).toEqualTypeOf<readonly ListedTagFragment[]>()
live.show(live.newMutationId(), { action: 'INSERT', new: { id: 'x', name: 'x' } })
const { changes } = useChanges({
  client,
  request: committed,
  onChange: ({ isLast }) => expectTypeOf(isLast).toEqualTypeOf<boolean>(),
})
expectTypeOf(changes).toEqualTypeOf<readonly TransactionsSubscription['changes'][]>()

// Text in: the rows are said.
expectTypeOf(
  followList<{ id: number }>({ client, request: { query: 'subscription', variables: { any: 1 } }, key: 'id' })
    .state.rows,
).toEqualTypeOf<readonly { id: number }[]>()

// @ts-expect-error the document has a variable that it needs
followList({ client, request: { query: TagListDocument }, key: 'id' })
// @ts-expect-error of another type
followList({ client, request: { query: TagListDocument, variables: { take: 'three' } }, key: 'id' })
// @ts-expect-error there is no such field
followList({ client, request: listed, key: 'color' })
// @ts-expect-error the subscription gives no list
followList({ client, request: changed, key: 'id' })
// @ts-expect-error the same in React
useFollowedList({ client, request: { query: TagListDocument }, key: 'id' })
// @ts-expect-error the cursor is the kit's own
createLiveList({ client, request: { query: TagChangesDocument, variables: { after: 'x' } }, key: 'id' })
// @ts-expect-error rows that are shown first have the fields of rows
useFollowedList({ client, request: listed, key: 'id', initialRows: [{ id: 1 }] })

const ofTags = rowcastCollectionOptions({
  client,
  request: changed,
  key: 'id',
  onUpdate: async ({ transaction: { mutations }, mutationId }) => {
    expectTypeOf(mutations[0]?.changes).toEqualTypeOf<Partial<ListedTagFragment> | undefined>()
    expectTypeOf(mutationId).toEqualTypeOf<string>()
  },
})
expectTypeOf(createCollection(ofTags).toArray.map(({ name }) => name)).toEqualTypeOf<string[]>()
expectTypeOf(createCollection(ofTags).utils.liveState()?.rows).toEqualTypeOf<
  readonly ListedTagFragment[] | undefined
>()

declare const apollo: ApolloClient
declare const query: TypedDocumentNode<{ tags: ListedTagFragment[] }, { take: number }>
const ofQuery = { apollo, client, query, request: changed, key: 'id', typename: 'Tag' } as const
expectTypeOf(keepQuery({ ...ofQuery, queryVariables: { take: 3 } }).state.rows).toEqualTypeOf<
  readonly ListedTagFragment[]
>()
// @ts-expect-error of another type
keepQuery({ ...ofQuery, queryVariables: { take: 'three' } })
