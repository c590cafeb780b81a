/**
 * Stage 8, server. What each request and each upgrade gets: a refusal, a page, metrics, an endpoint of GraphQL, or health.
 * What is refused is decided before anything is done for it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphqlEndpoints } from './graphql-endpoints.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { METRICS_PATH } from './health/metrics-endpoint.ts'
import { type HealthReport, respondJson, respondLive, respondReady } from './health.ts'
import type { HostGuard } from './http/host-guard.ts'
import { hasValidAddress, pathOf } from './http/request-path.ts'
import type { ServedPage } from './pages/live-page.ts'
import {
  asksForSingleConnection,
  HOST_REFUSAL,
  NOT_FOUND,
  type Refusal,
  type Refusals,
  SINGLE_CONNECTION,
} from './refusal.ts'
import type { UpgradeGate } from './upgrade-gate.ts'

/** What it decides by, and to whom it hands on. */
export interface RequestRouterParts {
  readonly hostGuard: HostGuard
  readonly refusals: Refusals
  readonly endpoints: GraphqlEndpoints
  readonly upgradeGate: UpgradeGate
  readonly pages: readonly ServedPage[]
  /** Answers `/metrics`; null: nothing is there. */
  readonly respondMetrics: ((request: IncomingMessage, response: ServerResponse) => unknown) | null
  /** Answers what is none of rowcast's; null: it is not found. */
  readonly otherRequests: ((request: IncomingMessage, response: ServerResponse) => unknown) | null
  readonly health: () => HealthReport
}

/** For probes and scrapers, under whatever name: they hold no rows. */
const OPERATORS_PATHS: ReadonlySet<string> = new Set(['/health/live', '/health/ready', METRICS_PATH])

/** One per server. */
export class RequestRouter {
  readonly #parts: RequestRouterParts

  constructor(parts: RequestRouterParts) {
    this.#parts = parts
  }

  /** Answers a request. */
  answer(request: IncomingMessage, response: ServerResponse): unknown {
    const { refusals, pages, respondMetrics } = this.#parts
    const refusal = this.#refusalOf(request)
    if (refusal !== null) return refusals.respond(request, response, refusal)
    for (const page of pages) {
      const sent = page.respond(request, response)
      if (sent !== null) return sent
    }
    if (respondMetrics !== null && pathOf(request) === METRICS_PATH) return respondMetrics(request, response)
    return this.#route(request, response)
  }

  /** Hands a connection that asked for an upgrade on, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): unknown {
    const { endpoints, upgradeGate } = this.#parts
    return upgradeGate.accept(request, socket, head, endpoints.at(request))
  }

  #refusalOf(request: IncomingMessage): Refusal | null {
    const isNamed = this.#parts.hostGuard.isAllowed(request.headers.host)
    if (!isNamed && !OPERATORS_PATHS.has(pathOf(request))) return HOST_REFUSAL
    return isSingleConnection(request) ? SINGLE_CONNECTION : null
  }

  #route(request: IncomingMessage, response: ServerResponse): unknown {
    const endpoint = this.#parts.endpoints.at(request)
    if (endpoint !== undefined) {
      if (hasValidAddress(request)) return endpoint.handle(request, response)
      return respondJson(response, 400, { error: 'BAD_REQUEST', message: 'Host and path make no address.' })
    }
    switch (pathOf(request)) {
      case '/health/live':
        return respondLive(response)
      case '/health/ready':
        return respondReady(response, this.#parts.health())
      default:
        if (this.#parts.otherRequests !== null) return this.#parts.otherRequests(request, response)
        return respondJson(response, 404, { error: NOT_FOUND.code, message: NOT_FOUND.message })
    }
  }
}

function isSingleConnection(request: IncomingMessage): boolean {
  return pathOf(request) === GRAPHQL_PATH && asksForSingleConnection(request)
}
