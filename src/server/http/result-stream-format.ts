/** Stage 8, server. How a stream of results is written as the body of a response: what the transports over HTTP differ in. */
import type { ExecutionResult, GraphQLError } from 'graphql'
import type { ContextSource } from '../session/context.ts'

/** A transport whose streams are responses over HTTP. */
export type StreamKind = Exclude<ContextSource['kind'], 'http' | 'websocket'>

export interface StreamFormat {
  readonly kind: StreamKind
  /** By which clients ask for it in `Accept`, lower case. */
  readonly mediaType: string
  /** What they have to say beside it: its name in lower case, and its value. @default nothing */
  readonly parameter?: readonly [name: string, value: string]
  /** What writes one stream. */
  createWriter(): ResponseWriter
}

/** What stands before and behind the JSON of a result: that itself is the same for all streams, whatever their format. */
export interface ResultFrame {
  readonly head: string
  readonly tail: string
}

/** Writes one stream: everything it gives is sent as it is, in order. */
export interface ResponseWriter {
  readonly contentType: string
  /** At the beginning of each body. */
  readonly head: string
  /** At once, and at an interval: some clients wait for a first byte, and proxies end what is silent. @param bookmark a cursor to go on after, where it is new */
  heartbeat(bookmark: string | null): string
  /** What stands around the JSON of a result. @param cursor to go on after it */
  frame(cursor: string | null): ResultFrame
  /** An error of the connection, no answer of GraphQL. @param text `{"errors":[…]}` */
  connectionError(text: string): string
  /** @param last the result before it */
  end(last: ExecutionResult): string
  /** In place of an end where the server stops or stands by, and the client is to come back. @param error which of them, with what to go on after */
  comeBack(error: GraphQLError): string
}
