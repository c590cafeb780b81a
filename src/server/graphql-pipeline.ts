/**
 * Stage 8, server. The one pipeline of parse, validate, context, execute and error masking, made by Yoga.
 * HTTP and SSE run through Yoga's own handler, WebSockets through the same `getEnveloped`.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { ExecutionResult, GraphQLError, GraphQLFormattedError, GraphQLSchema } from 'graphql'
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga'
import { RowcastError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { renderGraphiqlPage } from './graphiql-page.ts'
import { maskError } from './mask-error.ts'
import { createStreamRegistry } from './stream-registry.ts'
import { createYogaLogger } from './yoga-logger.ts'

/** Where GraphQL is served: queries, mutations, SSE, WebSocket and GraphiQL. */
export const GRAPHQL_PATH = '/graphql'

/** What a context factory is told about a connection, whatever its transport. */
export interface ConnectionInfo {
  readonly transport: 'http' | 'websocket'
  /** Of the request, or of the upgrade request. */
  readonly headers: IncomingHttpHeaders
  /** Payload of graphql-ws's `connection_init`; empty over HTTP. */
  readonly connectionParams: Readonly<Record<string, unknown>>
}

/** Makes the GraphQL context of one operation. */
export type ContextFactory = (connection: ConnectionInfo) => object | Promise<object>

/** What both transports put into the pipeline beside Yoga's own. */
export interface TransportContext {
  readonly req: IncomingMessage
  /** Present on WebSockets only. */
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined
  /** True on WebSockets. */
  readonly isWebSocket?: boolean | undefined
}

/** Yoga as this server configures it. */
export type GraphqlHandler = YogaServerInstance<TransportContext, object>

/** What the pipeline needs. */
export interface GraphqlPipelineOptions {
  readonly schema: GraphQLSchema
  readonly logger: Logger
  readonly isGraphiqlEnabled: boolean
  /** What GraphiQL shows in its first tab. */
  readonly graphiqlQuery?: string | undefined
  readonly context?: ContextFactory | undefined
  /** @default 1_048_576 // 1 MiB */
  readonly requestBytesMax: number
}

/** The pipeline and the end of its HTTP streams. */
export interface GraphqlPipeline {
  readonly handler: GraphqlHandler
  /** Ends every SSE stream with `SERVER_STOPPING` and `complete`. */
  endStreams(): void
}

/** Creates the pipeline. */
export function createGraphqlPipeline(options: GraphqlPipelineOptions): GraphqlPipeline {
  const streams = createStreamRegistry<ExecutionResult>()
  const { context } = options
  const handler = createYoga<TransportContext, object>({
    schema: options.schema,
    graphqlEndpoint: GRAPHQL_PATH,
    logging: createYogaLogger(options.logger),
    maskedErrors: { maskError },
    context: (initial: TransportContext) => context?.(toConnectionInfo(initial)) ?? {},
    graphiql: options.isGraphiqlEnabled ? { defaultQuery: options.graphiqlQuery ?? '' } : false,
    renderGraphiQL: renderGraphiqlPage,
    // No page of another site reads this server through its visitor's browser.
    cors: false,
    landingPage: false,
    multipart: false,
    maxRequestBodySize: options.requestBytesMax,
    plugins: [createSsePlugin(streams.track)],
  })
  return {
    handler,
    endStreams() {
      const stopping = new RowcastError('SERVER_STOPPING', 'The server is stopping.')
      streams.end({ errors: [maskError(stopping)] })
    },
  }
}

/** An error as the client reads it: without the HTTP status that Yoga's plugins note on it for themselves. */
export function formatGraphqlError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON()
  if (extensions === undefined) return rest
  const { http: _http, ...visible } = extensions
  return Object.keys(visible).length === 0 ? rest : { ...rest, extensions: visible }
}

function toConnectionInfo(initial: TransportContext): ConnectionInfo {
  return {
    transport: initial.isWebSocket === true ? 'websocket' : 'http',
    headers: initial.req.headers,
    connectionParams: initial.connectionParams ?? {},
  }
}

/** Tracks SSE streams so that they can be ended, and tells proxies not to hold their events back. */
function createSsePlugin(
  track: (source: AsyncIterable<ExecutionResult>) => AsyncGenerator<ExecutionResult>,
): Plugin<TransportContext> {
  return {
    onSubscribe: ({ args }) => {
      if (args.contextValue.isWebSocket === true) return undefined
      return {
        onSubscribeResult({ result, setResult }) {
          if (Symbol.asyncIterator in result) setResult(track(result))
        },
      }
    },
    onResponse({ response }) {
      if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
        response.headers.set('x-accel-buffering', 'no')
      }
    },
  }
}
