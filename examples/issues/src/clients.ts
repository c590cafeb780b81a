/** Who signed in, and the connections in his name: one for changes, which comes back by itself, and requests. */
import { type Client, createClient } from 'graphql-ws'
import { resumingConnectionParams, retryWait } from 'rowcast/client'
import type { TypedDocumentString } from '../generated/gql/graphql.ts'

/** What the page talks to the server with. */
export interface Session {
  readonly viewer: string
  readonly changes: Client
  ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data>
}

const ANSWER_TIMEOUT_MS = 30_000

/** @throws Error with what the server says */
async function ask<Data, Variables>(
  viewer: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${viewer}` },
    body: JSON.stringify({ query: document.toString(), variables }),
    // Moves wait for each other: one without an answer would hold up all that come after it.
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  })
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string }[] }
  if (data === undefined || data === null || errors !== undefined)
    throw new Error(errors?.[0]?.message ?? 'The server did not answer.')
  return data
}

/** Signs in: here that is to choose a name. */
export function signIn(viewer: string): Session {
  const changes = createClient({
    url: '/graphql',
    keepAlive: 5_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait,
    shouldRetry: () => true,
    connectionParams: resumingConnectionParams({ as: viewer }),
  })
  return { viewer, changes, ask: (document, variables) => ask(viewer, document, variables) }
}
