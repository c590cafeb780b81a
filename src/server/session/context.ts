/**
 * Stage 8, server. The one function through which a user says who a client is, the same on every
 * transport: what it is given, and what it may answer.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { RowcastError } from '../../errors.ts'

interface ClientFacts {
  /** Of the request, or of the WebSocket's upgrade request. */
  readonly headers: IncomingHttpHeaders
  /** The client's IP address; behind proxies, see `trustedProxyCount`. */
  readonly remoteAddress: string
}

/** Where a connection comes from. */
export type ContextSource =
  | (ClientFacts & {
      /** `sse` when the client asks for an event stream, `multipart` when it asks for Apollo's multipart subscriptions. */
      readonly kind: 'http' | 'sse' | 'multipart'
      /** Of WebSockets alone; named, so that a function may take both apart at once. */
      readonly connectionParams?: undefined
    })
  | (ClientFacts & {
      readonly kind: 'websocket'
      /** Payload of graphql-ws's `connection_init`. */
      readonly connectionParams: Readonly<Record<string, unknown>>
    })

/** A client that is let in. */
export interface Session {
  /** Its own properties become the GraphQL context, on a fresh object for each operation. */
  readonly context: object
  /**
   * Who the viewer is, on whatever connections and from whatever addresses: what all of its subscriptions do together is
   * bounded (`limits.filterCostPerViewerMax`, `limits.replaysPerViewerMax`). What names nobody (an empty text, NaN, Infinity, the
   * text of `undefined`, of `null` or of an object) counts as nobody in particular, and is logged once; anything else that is
   * no text and no number refuses the client. @default nobody in particular
   */
  readonly viewerKey?: string | number | bigint | null | undefined
  /** When the session ends, and with it the WebSocket or stream. In milliseconds when a number. */
  readonly expiresAt?: Date | number | undefined
  /**
   * Asked at an interval while the WebSocket or stream is open, and by `revalidateSessions()`. Anything
   * but true ends the connection; so does an error, and no answer within the interval.
   */
  readonly revalidate?: (() => boolean | Promise<boolean>) | undefined
  /**
   * Called when the WebSocket or stream opens, with what ends it at once: with an error of rowcast, which the client reads, or without one
   * (`SESSION_REVOKED`). What it returns is called once the connection is over.
   */
  readonly watch?: ((end: (why?: RowcastError) => void) => () => void) | undefined
}

/** What refuses a client, as `viewer && { context: { viewer } }` gives it where there is no viewer. */
export type NoSession = null | undefined | false | 0 | ''

/**
 * Lets a client in with a session, and refuses it with anything else. Called once a request over HTTP, its streams included, once a
 * socket over WebSocket, `limits.contextCallsMax` times at once at most. What it throws is masked unless it is a
 * GraphQLError; an answer that takes longer than `limits.connectionInitTimeoutMs` comes too late (`CONTEXT_TIMEOUT`).
 */
export type ContextFunction = (source: ContextSource) => Session | NoSession | Promise<Session | NoSession>
