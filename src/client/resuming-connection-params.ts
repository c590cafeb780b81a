/** Beside the spine, client. What a WebSocket client sends to a server that may be restarted while it is connected. */

/** What graphql-ws's client sends in `connection_init`; it asks a function again for each connection. */
export type ConnectionParams =
  | Readonly<Record<string, unknown>>
  | (() =>
      | Readonly<Record<string, unknown>>
      | undefined
      | Promise<Readonly<Record<string, unknown>> | undefined>)

/**
 * `connectionParams` for graphql-ws's client: your own ones, and `{ rowcast: { resumes: true } }`. With it, a server that stops
 * ends each subscription with SERVER_STOPPING, the `cursor` to go on after and `retryAfterMs`; without it the socket is closed with
 * 1012. Only for a client whose subscriptions all go through `subscribeResumable`, a list or `followChanges`: others take the error for final.
 * @param own parameters such as a token, or a function that gives them @default none
 */
export function resumingConnectionParams(own?: ConnectionParams): () => Promise<Record<string, unknown>> {
  return async () => {
    const params = typeof own === 'function' ? await own() : own
    return { ...params, rowcast: { ...Object(params?.['rowcast']), resumes: true } }
  }
}
