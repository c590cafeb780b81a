/** GraphiQL: how operations reach the server: queries and mutations with POST, subscriptions over the WebSocket. */
import type { Fetcher, FetcherParams } from '@graphiql/toolkit'
import { getOperationAST } from 'graphql'
import type { Streams } from './streams.ts'

const INTROSPECTION = 'IntrospectionQuery'

/** @param url of the GraphQL endpoint */
export function createFetcher(url: string, streams: Streams): Fetcher {
  return (params, options) => {
    const headers = textsOf(options?.headers)
    const document = options?.documentAST
    const operation = document && getOperationAST(document, params.operationName)
    if (operation?.operation === 'subscription') return streams.run(params, headers)
    // Its answer takes the place of the events that the tab has shown.
    if (params.operationName !== INTROSPECTION) streams.forget()
    return post(url, params, headers)
  }
}

async function post(url: string, params: FetcherParams, headers: Readonly<Record<string, string>>) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  })
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page, most likely.
    return { errors: [{ message: `HTTP ${response.status}: ${text.slice(0, 1_000) || 'an empty answer.'}` }] }
  }
}

/** Headers as text: the tab is JSON, and people write numbers in it. */
function textsOf(headers: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(Object(headers)).map(([name, value]) => [name, String(value)]))
}
