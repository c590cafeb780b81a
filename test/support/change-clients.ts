/** Clients of a service over each transport, as an application has them. */
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { createSseClient } from '../../src/client/sse-client.ts'

/** Connects to the service at the address. */
type Connect = (url: string) => ChangeClient & { dispose(): unknown }

/** Comes back at once, for ever. */
export const overWebSocket: Connect = (url) =>
  createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
  })
export const overSse: Connect = (url) => createSseClient({ url: `${url}/graphql` })
