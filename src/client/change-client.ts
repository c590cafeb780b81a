/** Beside the spine, client. What the kit needs of whatever reaches the server: graphql-ws's client, or `createSseClient`. */
import type { Client, Sink, SubscribePayload } from 'graphql-ws'
import { SubscriptionError, toEndError, toSubscriptionErrors, type WireError } from './subscription-error.ts'

/**
 * A client: graphql-ws's over WebSocket, with `retryAttempts: Infinity`, `retryWait` and `shouldRetry: () => true`, or one of
 * `createSseClient`.
 */
export type ChangeClient = Pick<Client, 'subscribe'> & Partial<Pick<Client, 'on'>>

/** A result as it comes over the wire. */
export interface ChangeResult<Data> {
  readonly data?: Data | null
  readonly errors?: readonly WireError[]
}

/** What a subscription gives: graphql-ws's, and from clients that know it of each operation, the state of its connection. */
export interface ChangeSink<Data> extends Sink<ChangeResult<Data>> {
  /** The server has taken the operation, and results follow. */
  connected?(): void
  /** The connection is lost, and tried again. */
  lost?(): void
  /** A cursor without a change: everything that stands before it has come. */
  bookmark?(cursor: string): void
}

/**
 * Asks for `changeCursor`: the cursor for now. Take it before the rows are queried. The signal ends the waiting.
 * @param source of a server with several databases: the one that the model is in
 * @param field what it is called behind a gateway. @default 'changeCursor'
 * @throws SubscriptionError with the server's own error, where it gave one
 */
export async function queryChangeCursor(
  client: ChangeClient,
  signal?: AbortSignal,
  source?: string,
  field?: string,
): Promise<string> {
  let unsubscribe = () => {}
  let onAbort = () => {}
  const answer = new Promise<string>((resolve, reject) => {
    const silent = () => reject(new SubscriptionError('The server did not answer `changeCursor`.'))
    // Not by the sink: a client that is offline completes it only once it has tried to connect again.
    onAbort = () => {
      silent()
      unsubscribe()
    }
    const sink: ChangeSink<{ changeCursor: string }> = {
      next({ data, errors }) {
        const [error] = toSubscriptionErrors(errors)
        if (typeof data?.changeCursor === 'string') resolve(data.changeCursor)
        else reject(error ?? new SubscriptionError('The server answered `changeCursor` with no cursor.'))
      },
      error: (error) => reject(toEndError(error)),
      complete: silent,
    }
    unsubscribe = client.subscribe<{ changeCursor: string }>(cursorRequest(source, field), sink)
  })
  signal?.addEventListener('abort', onAbort)
  try {
    if (signal?.aborted) onAbort()
    return await answer
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function cursorRequest(source: string | undefined, field = 'changeCursor'): SubscribePayload {
  const asked = field === 'changeCursor' ? field : `changeCursor: ${field}`
  if (source === undefined) return { query: `{ ${asked} }` }
  const query = `query ($source: ChangeSource!) { ${asked}(source: $source) }`
  return { query, variables: { source } }
}

/** Reports when a client's connection is there and when it is lost, where the client has one for all operations. */
export function watchConnection(client: ChangeClient, report: (isConnected: boolean) => void): () => void {
  if (client.on === undefined) return () => undefined
  const stops = [
    client.on('connected', () => report(true)),
    client.on('closed', (event) => {
      // 1000: nothing was asked for at that moment, so the client hung up.
      if (Reflect.get(Object(event), 'code') !== 1000) report(false)
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
