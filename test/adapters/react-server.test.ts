/** The hooks where a server renders: nothing is subscribed, and what is known is shown. */
import { createElement, StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, it } from 'vitest'
import { useChanges, useFollowedList, useLiveList } from '../../src/adapters/react.ts'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { TagChangesDocument, TagListDocument, TransactionsDocument } from '../generated/gql/graphql.ts'

const client: ChangeClient = {
  subscribe: () => {
    throw new Error('A server subscribed.')
  },
}

it('renders the first rows it is given, loading, and subscribes to nothing', () => {
  const initialRows = [{ id: '1', name: 'first' }]
  function Page() {
    const request = { query: TagListDocument, variables: { take: 2 } }
    const followed = useFollowedList({ client, request, key: 'id', initialRows })
    const live = useLiveList({ client, request: { query: TagChangesDocument }, key: 'id' })
    const { changes, ...rest } = useChanges({ client, request: { query: TransactionsDocument } })
    const { status, rows, isComplete } = live
    return createElement('pre', null, JSON.stringify([followed, { status, rows, isComplete }, changes, rest]))
  }
  const html = renderToString(createElement(StrictMode, null, createElement(Page)))
  const text = html.replaceAll(/<[^>]+>/g, '').replaceAll('&quot;', '"')
  const nothing = { status: 'loading', error: null }
  expect(JSON.parse(text)).toEqual([
    { ...nothing, rows: initialRows, totalCount: null },
    { status: 'loading', rows: [], isComplete: true },
    ...[[], nothing],
  ])
})
