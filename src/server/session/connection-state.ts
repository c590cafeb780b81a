/** Stage 8, server. What the pipeline knows of the connection an operation came by, whatever its transport. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { GraphQLError, GraphQLFormattedError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { Account } from '../../bus/holdings.ts'
import type { ContextSource, Session } from './context.ts'

/** A symbol, so that no context a user makes can stand in its place. */
export const CONNECTION: unique symbol = Symbol('rowcast.connection')

/** Where the context of an operation over HTTP has its request; what an application calls `request` is its own. */
export const REQUEST: unique symbol = Symbol('rowcast.request')

/** Where it has the response that it is for. */
export const RESPONSE: unique symbol = Symbol('rowcast.response')

/** A connection whose client was let in. */
export interface ConnectionState {
  readonly kind: ContextSource['kind']
  /** The client's address. */
  readonly address: string
  readonly session: Session
  /** What its subscriptions have waiting. */
  readonly account: Account
}

/** What a transport puts into the pipeline beside Yoga's own. */
export interface TransportContext {
  /** Of HTTP; a WebSocket's is forgotten. */
  readonly req?: IncomingMessage
  readonly res?: ServerResponse
  readonly request?: Request
  /** Over HTTP it is there once the request has been read. */
  [CONNECTION]?: ConnectionState
  readonly [REQUEST]?: Request | undefined
  readonly [RESPONSE]?: ServerResponse | undefined
}

/** A plugin of the pipeline. */
export type PipelinePlugin = Plugin<TransportContext, TransportContext>

/** An error as the client reads it: without the HTTP status that Yoga's plugins note on it for themselves. */
export function formatGraphqlError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON()
  if (extensions === undefined) return rest
  const { http: _http, ...visible } = extensions
  return Object.keys(visible).length === 0 ? rest : { ...rest, extensions: visible }
}
