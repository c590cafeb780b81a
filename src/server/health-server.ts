/** Stage 8, server. The HTTP server of a process without GraphQL: health, and nothing else. */
import { createServer } from 'node:http'
import type { Logger } from '../log.ts'
import { type HealthReport, respondJson, respondLive, respondReady } from './health.ts'
import { type ListenAddress, listenOn } from './listen-on.ts'
import { METRICS_PATH, type MetricsSource, respondMetrics } from './metrics-endpoint.ts'

/** What it needs. */
export interface HealthServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly health: () => HealthReport
  /** What `/metrics` serves, and to whom. @default nothing */
  readonly metrics?: MetricsSource | undefined
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
  const { host, port, health, metrics, logger } = options
  const http = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/health/live') respondLive(response)
    else if (pathname === '/health/ready') respondReady(response, health())
    else if (pathname === METRICS_PATH && metrics !== undefined)
      void respondMetrics(request, response, metrics, logger)
    else respondJson(response, 404, { error: 'This process serves no GraphQL. Ask a gateway.' })
  })
  return {
    listen: () => listenOn(http, host, port),
    async close() {
      http.closeAllConnections()
      if (http.listening) await new Promise((resolve) => http.close(resolve))
    },
  }
}
