/**
 * Stage 8, server. The one pipeline of limits, parse, validate, context, execute and error masking, made by
 * Yoga. HTTP and its streams run through Yoga's own handler, WebSockets through the same `getEnveloped`.
 */
import type { GraphQLSchema } from 'graphql'
import { createYoga, type YogaServerInstance } from 'graphql-yoga'
import type { TurnShare } from '../bus/turn-share.ts'
import { invariant } from '../errors.ts'
import { BUS_ACCOUNT } from '../graphql/bus-account.ts'
import { LAST_EVENT_ID } from '../graphql/last-event-id.ts'
import type { Guard } from '../guard.ts'
import type { Logger } from '../logger.ts'
import { createDeliveries, type Deliveries } from './delivery/deliveries.ts'
import type { ErrorMask } from './errors/mask-error.ts'
import { createReadsPlugin } from './execution/abandoned-queries.ts'
import { createDocumentCaches } from './execution/document-cache.ts'
import { createDocumentResolver } from './execution/document-resolver.ts'
import { createOperationDeadline } from './execution/operation-deadline.ts'
import { createSizeLimit } from './execution/operation-size.ts'
import type { PersistedDocuments } from './execution/persisted-documents.ts'
import { createQueryLimits } from './execution/query-limits.ts'
import { sliceLists } from './execution/slice-lists.ts'
import { namedFormat, parseAccept } from './http/accept.ts'
import { createCsrfGuard, type OriginGuard } from './http/origin-guard.ts'
import { unreadableRequests } from './http/readable-requests.ts'
import { createHttpStreams } from './http/result-streams.ts'
import type { ClientAccounts } from './limits/client-accounts.ts'
import { type ConnectionCounter, clientAddress } from './limits/client-address.ts'
import type { ServerLimits } from './limits/limits.ts'
import type { Refusals } from './refusal.ts'
import { STREAM_FORMATS } from './result-stream-formats.ts'
import {
  CONNECTION,
  type PipelinePlugin,
  REQUEST,
  RESPONSE,
  type TransportContext,
} from './session/connection-state.ts'
import { clientHasLeft } from './session/open-session.ts'
import type { SessionKeeper } from './session/session-keeper.ts'
import type { Transport } from './transport.ts'
import { createYogaLogger } from './yoga-logger.ts'

/** Yoga as this server configures it. */
export type GraphqlHandler = YogaServerInstance<TransportContext, object>

/** What the pipeline needs. */
export interface GraphqlPipelineOptions {
  /** Where it is served. */
  readonly path: string
  readonly schema: GraphQLSchema
  readonly logger: Logger
  readonly guard: Guard
  readonly errorMask: ErrorMask
  readonly sessions: SessionKeeper
  readonly connections: ConnectionCounter
  readonly accounts: ClientAccounts
  /** When operations begin: parsing and checking a document takes milliseconds. */
  readonly turns: TurnShare
  readonly originGuard: OriginGuard
  readonly refusals: Refusals
  readonly limits: ServerLimits
  readonly isIntrospectionEnabled: boolean
  /** Whether pages of allowed origins may send cookies. */
  readonly mayCarryCredentials: boolean
  readonly hasForeignOrigins: boolean
  readonly trustedProxyCount: number
  /** Those that clients may name; null: none. */
  readonly documents: PersistedDocuments | null
  /** Notified of each delivery that is handed to a client. */
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
}

/** The pipeline, and the transports whose streams are its responses. */
export interface GraphqlPipeline {
  readonly handler: GraphqlHandler
  readonly deliveries: Deliveries
  readonly transports: readonly Transport[]
  /** For a Yoga of somebody else's: what stands before parsing and after it, beside the context. */
  readonly plugins: readonly PipelinePlugin[]
}

/** Creates the pipeline. */
export function createGraphqlPipeline(options: GraphqlPipelineOptions): GraphqlPipeline {
  const { errorMask, limits, guard, documents } = options
  sliceLists(options.schema)
  const sizeLimit = createSizeLimit({ rows: limits.queryRowsMax, cost: limits.queryCostMax })
  const deadline = createOperationDeadline(limits.operationTimeoutMs)
  const deliveries = createDeliveries({
    ...{ refuse: sizeLimit.refuse, changesMaxOf: sizeLimit.changesMaxOf },
    ...{ within: deadline.within, payloadBytesMax: limits.payloadBytesMax },
    ...{ mask: errorMask.mask, guard, onDelivered: options.onDelivered },
  })
  const streams = createHttpStreams({ ...options, ...limits, formats: STREAM_FORMATS })
  const resolver = documents === null ? null : createDocumentResolver(documents)
  const plugins: PipelinePlugin[] = [
    createCsrfGuard(options.originGuard, options.refusals),
    unreadableRequests,
    createSessionOpener(options),
    ...(resolver === null ? [] : [resolver]),
    ...createQueryLimits(options),
    sizeLimit.plugin,
    createReadsPlugin(guard),
    deadline.plugin,
    deliveries.plugin,
    streams.plugin,
  ]
  const handler = createYoga<TransportContext, object>({
    schema: options.schema,
    graphqlEndpoint: options.path,
    logging: createYogaLogger(options.logger, errorMask),
    maskedErrors: { maskError: (error) => errorMask.mask(error) },
    context: operationContext,
    graphiql: false,
    cors: options.hasForeignOrigins ? createCors(options) : false,
    landingPage: false,
    multipart: false,
    batching: false,
    extraParamNames: documents === null ? [] : ['documentId'],
    maxRequestBodySize: limits.requestBytesMax,
    parserAndValidationCache: createDocumentCaches(),
    plugins,
  })
  // Without a manifest, what stands behind may know the names.
  const foreign = documents?.hasManifest === true ? plugins : plugins.filter((each) => each !== resolver)
  return { handler, deliveries, plugins: foreign, transports: streams.transports }
}

/** The context of an operation: that of its session, and what the pipeline looks for. */
export function operationContext(initial: TransportContext): object {
  const connection = initial[CONNECTION]
  invariant(connection, 'An operation reached its context without a session.')
  // Whatever else the client accepts: only an answer of changes looks at it.
  const lastEventId = initial.req?.headers['last-event-id']
  const more = lastEventId === undefined ? {} : { [LAST_EVENT_ID]: lastEventId }
  return {
    ...{ ...connection.session.context, ...more },
    ...{ [BUS_ACCOUNT]: connection.account, [REQUEST]: initial.request, [RESPONSE]: initial.res },
  }
}

/** No page of another site reads this server through its visitor's browser, but those that are named. */
function createCors({ originGuard, mayCarryCredentials }: GraphqlPipelineOptions) {
  return ({ headers }: Request) => {
    const origin = headers.get('origin')
    if (origin === null || !originGuard.isAllowed(origin, headers.get('host') ?? undefined)) return false
    // A list, so that Vary says that the answer depends on it.
    return { origin: [origin, origin], methods: ['GET', 'POST'], credentials: mayCarryCredentials }
  }
}

/** Lets the client of an HTTP request in before its document is even parsed, as `connection_init` does. */
function createSessionOpener(options: GraphqlPipelineOptions): PipelinePlugin {
  return {
    async onParams({ context, params }) {
      const { req, res } = context
      invariant(req, 'An HTTP request came without itself.')
      const { headers } = req
      const kind = namedFormat(parseAccept(headers.accept), STREAM_FORMATS)?.kind ?? 'http'
      const address = clientAddress(req, options.trustedProxyCount)
      // A mutation that has come is done, whoever waits for it.
      const isWanted = () => res?.closed !== true || mayBeMutation(params)
      const session = await options.sessions.open({ kind, headers, remoteAddress: address }, isWanted)
      const account = options.accounts.open(address, session.viewerKey)
      context[CONNECTION] = { kind, address, session, account }
      await options.turns.wait()
      if (!isWanted()) throw clientHasLeft()
    },
  }
}

/** Before its document is parsed; of one that is named, nobody knows yet. */
function mayBeMutation({ query }: { readonly query?: unknown }): boolean {
  return typeof query !== 'string' || query.includes('mutation')
}
