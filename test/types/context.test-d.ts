/** `context` as the pages have it: one function for all transports. Compiled by `tsc`, never run. */
import type { createHandlers } from '../../src/server/create-server.ts'

type Context = NonNullable<Parameters<typeof createHandlers>[0]['context']>

/** Takes both apart at once. */
export const byToken: Context = ({ headers, connectionParams }) => {
  const token = connectionParams?.['token'] ?? headers.authorization
  return typeof token === 'string' ? { context: { token } } : null
}

/** Has them for sure on a WebSocket, and never elsewhere. */
export const byKind: Context = (source) => {
  const isRight =
    source.kind === 'websocket'
      ? source.connectionParams['token'] !== undefined
      : source.connectionParams === undefined
  return isRight ? { context: {} } : null
}
