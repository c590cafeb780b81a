/**
 * Stage 8, server. Every HTTP server of ours, that of GraphQL and that of a process which serves health alone: whatever listens has the bounds of
 * connections and of time, since a descriptor that a stranger holds is one that PostgreSQL and the broker do not get.
 */
import { createServer, type Server, type ServerOptions } from 'node:http'
import type { Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import type { ServerLimits } from '../limits/limits.ts'
import { boundPeers } from '../limits/peer-connections.ts'
import { inTurns, type RequestListener } from '../limits/request-turns.ts'
import { IncomingRequest } from './incoming-request.ts'

/** What bounds it. */
export interface ServerBounds {
  readonly limits: ServerLimits
  /** Behind proxies, these count connections. */
  readonly trustedProxyCount: number
  readonly guard: Guard
  readonly logger: Logger
}

/** Creates it; it does not listen yet. @param guarded never throws */
export function createBoundedServer(
  bounds: ServerBounds,
  guarded: RequestListener,
  options: Pick<ServerOptions, 'ServerResponse'> = {},
): Server {
  const { limits, trustedProxyCount, guard } = bounds
  const http = createServer({ ...timeBounds(limits), ...options }, inTurns(guarded, guard))
  if (trustedProxyCount === 0) boundPeers(http, limits, bounds)
  return http
}

/** A request that comes in drop by drop is cut; Node.js looks at the interval. */
function timeBounds({ requestTimeoutMs }: ServerLimits) {
  return {
    IncomingMessage: IncomingRequest,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
  }
}
