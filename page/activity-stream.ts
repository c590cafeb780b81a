/** The live page: its one subscription, over rowcast's own WebSocket. */
import { createClient } from 'graphql-ws'
import { ActivityDocument, type ActivitySubscription } from './generated/graphql.ts'
import type { Activity } from './page-state.ts'

/** What happens to it. */
export interface ActivityListener {
  onActivity(activity: Activity, isFirst: boolean): void
  /** The connection is lost, and tried again by itself. */
  onLost(): void
  /** The server wants a token, or another one. */
  onRefused(): void
  /** It ended with an error that trying again does not repair at once. */
  onError(message: string): void
}

const RETRY_DELAY_MS = 2_000
/** Close codes for clients that are not let in. Source: graphql-ws, PROTOCOL.md. */
const REFUSALS: readonly unknown[] = [4401, 4403]
const REFUSAL_CODES: readonly unknown[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'SESSION_EXPIRED',
  'SESSION_REVOKED',
]

/** Subscribes for as long as the page is open. Returns what ends it. */
export function followActivity(token: string | null, listener: ActivityListener): () => void {
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let isFirst = true
  const client = createClient({
    // Beside the page, wherever a proxy has put it.
    url: new URL('graphql/activity', location.href).href.replace(/^http/, 'ws'),
    connectionParams: token === null ? {} : { token, authorization: `Bearer ${token}` },
    keepAlive: 10_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: (event) => !REFUSALS.includes(Reflect.get(Object(event), 'code')),
    retryWait: (retries) =>
      new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** retries, 5_000))),
    on: {
      closed() {
        isFirst = true
        if (!isOver) listener.onLost()
      },
    },
  })

  /** What a server says of one attempt may be otherwise a moment later. */
  function again(): void {
    if (!isOver) timer = setTimeout(subscribe, RETRY_DELAY_MS)
  }

  function subscribe(): void {
    isFirst = true
    client.subscribe<ActivitySubscription>(
      { query: ActivityDocument.toString() },
      {
        next({ data, errors }) {
          if (data) listener.onActivity(data.rowcastActivity, isFirst)
          else fail(errors)
          isFirst = false
        },
        error: fail,
        complete: again,
      },
    )
  }

  function fail(error: unknown): void {
    if (isOver) return
    const first: unknown = Array.isArray(error) ? error[0] : error
    const { code, message, extensions } = Object(first) as {
      code?: unknown
      message?: unknown
      extensions?: { code?: unknown }
    }
    if (REFUSALS.includes(code) || REFUSAL_CODES.includes(extensions?.code)) {
      listener.onRefused()
      return
    }
    listener.onError(typeof message === 'string' ? message : 'The server does not answer.')
    again()
  }

  subscribe()
  return () => {
    isOver = true
    clearTimeout(timer)
    void client.dispose()
  }
}
