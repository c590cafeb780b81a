/**
 * Stage 8, server. The schemas of a server, each at a path of its own, over all transports: that of the
 * models, and beside it the live page's, of which clients of the models see nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLSchema } from 'graphql'
import type { WebSocket } from 'ws'
import { ACTIVITY_PATH } from './graphql-path.ts'
import { createGraphqlPipeline, type GraphqlPipelineOptions } from './graphql-pipeline.ts'
import { pathOf } from './http/request-path.ts'
import { begunInTurns } from './limits/begun-requests.ts'
import type { SocketBudget } from './limits/socket-budget.ts'
import type { OpenConnections } from './open-connections.ts'
import type { PipelinePlugin } from './session/connection-state.ts'
import type { Transport, TransportKind } from './transport.ts'
import { createWebSocketTransport } from './websocket/websocket-transport.ts'

export interface GraphqlEndpoint {
  handle(request: IncomingMessage, response: ServerResponse): unknown
  /** Takes over a connection that asked for an upgrade. @param address the client's */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void
  /** Takes over a WebSocket that another server has let in. */
  takeSocket(webSocket: WebSocket, request: IncomingMessage, address: string): void
  /** What each operation over HTTP goes through. */
  readonly plugins: readonly PipelinePlugin[]
}

export interface GraphqlEndpoints {
  /** That of the models. */
  readonly main: GraphqlEndpoint
  /** The one that a request asks for; undefined where it asks for something else. */
  at(request: IncomingMessage): GraphqlEndpoint | undefined
  readonly connections: OpenConnections
  /** Operations that run on open connections. */
  readonly operationCount: number
  /** Ends what is open on every transport so that clients come back. */
  close(timeoutMs: number): Promise<unknown>
  dispose(): Promise<unknown>
}

/** As what the connections of a transport are counted: it has a gauge among the metrics. */
const COUNTED_AS = {
  websocket: 'webSockets',
  sse: 'eventStreams',
  multipart: 'multipartStreams',
} satisfies Readonly<Record<TransportKind, keyof OpenConnections>>

export interface GraphqlEndpointsOptions extends EndpointOptions {
  /** The live page's own schema. @default none */
  readonly activitySchema?: GraphQLSchema | undefined
}

export function createGraphqlEndpoints(options: GraphqlEndpointsOptions): GraphqlEndpoints {
  const { activitySchema: schema } = options
  const main = createEndpoint(options)
  const endpoints = [main]
  // What is delivered to the live page is no delivery to a client, and its documents are ours.
  const activity = { ...options, path: ACTIVITY_PATH, onDelivered: undefined, documents: null }
  if (schema !== undefined) endpoints.push(createEndpoint({ ...activity, schema }))
  const transports = endpoints.flatMap((endpoint) => endpoint.transports)

  return {
    main,
    at(request) {
      const path = pathOf(request)
      return endpoints.find((endpoint) => endpoint.path === path)
    },
    get connections() {
      const counts = { webSockets: 0, eventStreams: 0, multipartStreams: 0 }
      for (const { kind, connectionCount } of transports) counts[COUNTED_AS[kind]] += connectionCount
      return { ...counts, unsentBytes: options.socketBudget.bytes }
    },
    get operationCount() {
      return transports.reduce((sum, { operationCount }) => sum + operationCount, 0)
    },
    close: (timeoutMs) => Promise.all(transports.map((transport) => transport.close(timeoutMs))),
    dispose: () => Promise.all(endpoints.map(({ pipeline }) => pipeline.handler.dispose())),
  }
}

interface EndpointOptions extends GraphqlPipelineOptions {
  /** One for all of them. */
  readonly socketBudget: SocketBudget
}

function createEndpoint(options: EndpointOptions) {
  const pipeline = createGraphqlPipeline(options)
  const { handler, deliveries } = pipeline
  const webSockets = createWebSocketTransport({ ...options, handler, deliveries })
  const { path, turns } = options
  const { plugins } = pipeline
  const handle = begunInTurns(handler, turns)
  const { handleUpgrade, takeSocket } = webSockets
  const transports: readonly Transport[] = [...pipeline.transports, webSockets]
  return { path, pipeline, transports, plugins, handle, handleUpgrade, takeSocket }
}
