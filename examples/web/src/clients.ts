/** One client for queries, one for changes; both talk to the address the page came from. */
import { createClient as createSocketClient } from 'graphql-ws'
import { resumingConnectionParams, retryWait } from 'rowcast/client'
import { createClient, fetchExchange } from 'urql'

/** Queries go past any cache: changes keep the list up to date, and a reload has to see what is. */
export const queries = createClient({
  url: '/graphql',
  exchanges: [fetchExchange],
  requestPolicy: 'network-only',
  preferGetMethod: false,
})

/** Comes back by itself, however long the server is away. */
export const changes = createSocketClient({
  url: '/graphql',
  keepAlive: 5_000,
  retryAttempts: Number.POSITIVE_INFINITY,
  retryWait,
  shouldRetry: () => true,
  connectionParams: resumingConnectionParams(),
})
