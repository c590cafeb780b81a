/** Stage 8, server. The HTTP server of a process without GraphQL: health, and nothing else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createGuard, createSafeLogger } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import { type HealthReport, respondFailure, respondJson, respondLive, respondReady } from '../health.ts'
import { createBoundedServer } from '../http/bounded-server.ts'
import { type ListenAddress, listenOn } from '../http/listen-on.ts'
import { pathOf } from '../http/request-path.ts'
import { limitsOf, type ServerLimits } from '../limits/limits.ts'
import { createMetricsEndpoint, METRICS_PATH, type MetricsPage } from './metrics-endpoint.ts'

export interface HealthServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly health: () => HealthReport
  /** What `/metrics` serves, and to whom. @default nothing */
  readonly metrics?: MetricsPage | undefined
  /** @default the server's own */
  readonly limits?: Partial<ServerLimits> | undefined
  /** @default 0 */
  readonly trustedProxyCount?: number | undefined
  readonly logger: Logger
}

/** A server that answers `/health/live` and `/health/ready`. */
export interface HealthServer {
  /** @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED */
  listen(): Promise<ListenAddress>
  close(): Promise<void>
}

/** Creates it; it does not listen yet. */
export function createHealthServer(options: HealthServerOptions): HealthServer {
  const { host, port, health, metrics, trustedProxyCount = 0 } = options
  const limits = limitsOf(options.limits)
  // The server's own listeners log as well, where nobody could catch what a logger throws.
  const logger = createSafeLogger(options.logger)
  const guard = createGuard(logger)
  const respondMetrics = metrics === undefined ? null : createMetricsEndpoint(metrics, logger, limits)
  const answer = (request: IncomingMessage, response: ServerResponse): unknown => {
    const path = pathOf(request)
    if (path === '/health/live') return respondLive(response)
    if (path === '/health/ready') return respondReady(response, health())
    if (path === METRICS_PATH && respondMetrics !== null) return respondMetrics(request, response)
    return respondJson(response, 404, { error: 'This process serves no GraphQL. Ask a gateway.' })
  }
  const http = createBoundedServer(
    { limits, trustedProxyCount, guard, logger },
    guard.wrap('answer a request', answer, respondFailure),
  )
  return {
    listen: () => listenOn(http, host, port, logger),
    async close() {
      http.closeAllConnections()
      if (http.listening) await new Promise((resolve) => http.close(resolve))
    },
  }
}
