/** Stage 8, server. What serves GraphQL, whoever owns the HTTP server: its parts, in the order in which they need each other. */
import { setTimeout as delay } from 'node:timers/promises'
import type { GraphQLSchema } from 'graphql'
import { TurnShare } from '../bus/turn-share.ts'
import { giveReadLimits } from '../graphql/reading/schema-reads.ts'
import { createGuard, createSafeLogger } from '../guard.ts'
import type { Logger } from '../logger.ts'
import type { SessionRows } from '../sets/session-rows.ts'
import { createErrorLocator } from './errors/error-location.ts'
import { createErrorMask } from './errors/mask-error.ts'
import { type OnDocumentRefused, PersistedDocuments } from './execution/persisted-documents.ts'
import { readDocuments } from './execution/persisted-manifest.ts'
import { createGraphqlEndpoints, type GraphqlEndpoints } from './graphql-endpoints.ts'
import { createHostGuard } from './http/host-guard.ts'
import { createOriginGuard } from './http/origin-guard.ts'
import { createClientAccounts } from './limits/client-accounts.ts'
import { createConnectionCounter } from './limits/client-address.ts'
import { limitsOf, readLimitsOf, type ServerLimits } from './limits/limits.ts'
import type { ServerSecurity } from './limits/server-security.ts'
import { SocketBudget } from './limits/socket-budget.ts'
import { createRefusals } from './refusal.ts'
import type { ServingControl } from './serving-control.ts'
import { createSessionKeeper } from './session/session-keeper.ts'
import { UpgradeGate } from './upgrade-gate.ts'

export interface ServingOptions extends ServerSecurity {
  readonly schema: GraphQLSchema
  readonly logger: Logger
  /** What the server listens on. */
  readonly host: string
  /** Where GraphQL is; `*` wherever a request is handed over. */
  readonly path: string
  readonly sessions?: SessionRows | undefined
  readonly graphiql?: boolean | undefined
  readonly activitySchema?: GraphQLSchema | undefined
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
  readonly onDocumentRefused?: OnDocumentRefused | undefined
}

/** How far a server is on its way to its end. */
export interface ServingState {
  /** `close()` was called: what is open ends. */
  isClosing: boolean
  /** Takes no one new. */
  isRefusing: boolean
}

export function createServingParts(options: ServingOptions) {
  const state: ServingState = { isClosing: false, isRefusing: false }
  const isRefusing = (): boolean => state.isRefusing
  const { graphiql = false, trustedProxyCount = 0, allowedOrigins = [] } = options
  const limits = limitsOf(options.limits)
  giveReadLimits(options.schema, readLimitsOf(options.limits))
  const isIntrospectionEnabled = options.introspection ?? graphiql
  const logger = createSafeLogger(options.logger)
  const guard = createGuard(logger)
  const locate = createErrorLocator(options.schema)
  const errorMask = createErrorMask({ logger, areSuggestionsHidden: !isIntrospectionEnabled, locate })
  const sessions = createSessionKeeper({ ...options, ...limits, errorMask, guard })
  const connections = createConnectionCounter(limits)
  const accounts = createClientAccounts(limits)
  const originGuard = createOriginGuard(allowedOrigins)
  const refusals = createRefusals(logger, limits.closeTimeoutMs)
  const socketBudget = new SocketBudget(limits.socketsBufferedBytesMax)
  const turns = new TurnShare({ guard })
  const { allowedHosts, context, host } = options
  const hostGuard = createHostGuard({ allowedHosts, host, hasContext: context !== undefined })
  const endpoints = createGraphqlEndpoints({
    documents: documentsOfServer(options),
    ...{ schema: options.schema, activitySchema: options.activitySchema, onDelivered: options.onDelivered },
    ...{ logger, guard, limits, errorMask, sessions, connections, accounts, originGuard, refusals },
    ...{ socketBudget, turns, trustedProxyCount, isIntrospectionEnabled },
    path: options.path,
    hasForeignOrigins: allowedOrigins.length > 0,
    mayCarryCredentials: (options.allowCredentials ?? false) && !allowedOrigins.includes('*'),
  })
  const gate = { guard, hostGuard, originGuard, refusals, connections, trustedProxyCount, isRefusing }
  const upgradeGate = new UpgradeGate(gate)
  const control: ServingControl = {
    revalidateSessions: sessions.revalidate,
    connections: () => endpoints.connections,
    refuse() {
      state.isRefusing = true
    },
    drain: () => untilDrained(endpoints, limits),
  }
  return {
    ...{ state, control },
    ...{ limits, logger, guard, errorMask, sessions, socketBudget, endpoints, refusals },
    ...{ hostGuard, originGuard, upgradeGate, trustedProxyCount },
  }
}

/** What they are. */
export type ServingParts = ReturnType<typeof createServingParts>

function documentsOfServer({
  schema,
  persistedDocuments,
  onDocumentRefused,
}: ServingOptions): PersistedDocuments {
  return new PersistedDocuments(
    persistedDocuments === undefined ? null : readDocuments(persistedDocuments.manifest, schema),
    {
      onlyPersisted: persistedDocuments?.onlyPersisted ?? process.env['NODE_ENV'] === 'production',
      onRefused: onDocumentRefused ?? (() => undefined),
    },
  )
}

const DRAIN_LOOK_MS = 10

/** Looks again and again whether an operation still runs: their ends are graphql-ws's and Yoga's own. */
async function untilDrained(
  endpoints: Pick<GraphqlEndpoints, 'operationCount'>,
  { drainTimeoutMs }: Pick<ServerLimits, 'drainTimeoutMs'>,
): Promise<void> {
  const endMs = performance.now() + drainTimeoutMs
  while (endpoints.operationCount > 0 && performance.now() < endMs) await delay(DRAIN_LOOK_MS)
}
