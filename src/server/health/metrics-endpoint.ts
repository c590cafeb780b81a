/**
 * Stage 8, server. `GET /metrics`: for those who may know how the server is doing, and for nobody else. It comes before
 * GraphQL's own pipeline, which scrapers know nothing of.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { isRowcastError, RowcastError } from '../../errors.ts'
import { createGuard, type Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import { respondJson } from '../health.ts'
import { DEFAULT_LIMITS, type ServerLimits } from '../limits/limits.ts'
import { createCallGate } from '../session/call-gate.ts'

/** Who asks for metrics. */
export interface MetricsRequest {
  readonly headers: IncomingHttpHeaders
  /** The peer's address; a proxy's, where one is in front. */
  readonly remoteAddress: string
}

/** Whether whoever asks may see the metrics; null lets everybody. */
export type MetricsGuard = ((request: MetricsRequest) => boolean | Promise<boolean>) | null

/** What is served there. */
export interface MetricsPage {
  readonly text: () => string
  readonly contentType: string
  readonly authorize: MetricsGuard
}

/** Where metrics are. */
export const METRICS_PATH = '/metrics'

/** A guard that asks for `authorization: Bearer <token>`. */
export function bearerGuard(token: string): NonNullable<MetricsGuard> {
  // Digests are equally long, so that the comparison takes the same time whatever is sent.
  const expected = digest(`Bearer ${token}`)
  return ({ headers }) => timingSafeEqual(digest(headers.authorization ?? ''), expected)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Answers a request for metrics: 200 with them, 401 to strangers, 503 where `authorize` does not answer in time. */
export type RespondMetrics = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Creates what answers. The function that says who may has the bounds of `context`: anybody can ask. */
export function createMetricsEndpoint(
  source: MetricsPage,
  logger: Logger,
  limits: Pick<ServerLimits, 'contextCallsMax' | 'connectionInitTimeoutMs'> = DEFAULT_LIMITS,
): RespondMetrics {
  const guard = createGuard(logger)
  const gate = createCallGate({
    guard,
    callsMax: limits.contextCallsMax,
    timeoutMs: limits.connectionInitTimeoutMs,
  })
  const late = () => new RowcastError('CONTEXT_TIMEOUT', 'The server could not find out in time who asks.')
  const { authorize } = source
  const mayRead = async ({ headers, socket }: IncomingMessage): Promise<boolean> => {
    if (authorize === null) return true
    const asked = { headers, remoteAddress: socket.remoteAddress ?? '' }
    return (await gate.run(() => authorize(asked), late)) === true
  }
  return (request, response) => respondMetrics(request, response, { source, mayRead, guard })
}

async function respondMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  parts: {
    readonly source: MetricsPage
    readonly mayRead: (request: IncomingMessage) => Promise<boolean>
    readonly guard: Guard
  },
): Promise<void> {
  const { text, contentType } = parts.source
  try {
    if (!(await parts.mayRead(request))) {
      response.setHeader('www-authenticate', 'Bearer')
      respondJson(response, 401, { error: 'UNAUTHENTICATED', message: 'Metrics are not for everybody.' })
      return
    }
    const body = text()
    response.writeHead(200, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  } catch (error) {
    const { id } = parts.guard.report('read the metrics', error)
    if (response.headersSent) response.destroy()
    else if (isRowcastError(error, 'CONTEXT_TIMEOUT')) respondJson(response, 503, { error: error.code })
    else respondJson(response, 500, { error: 'INTERNAL_SERVER_ERROR', id })
  }
}
