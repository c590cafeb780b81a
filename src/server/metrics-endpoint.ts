/**
 * Stage 8, server. `GET /metrics`: for those who may know how the server is doing, and for nobody else. It comes before
 * GraphQL's own pipeline, which scrapers know nothing of.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { describeError } from '../describe-error.ts'
import type { Logger } from '../log.ts'
import { respondJson } from './health.ts'

/** Who asks for metrics. */
export interface MetricsRequest {
  readonly headers: IncomingHttpHeaders
  /** The peer's address; a proxy's, where one is in front. */
  readonly remoteAddress: string
}

/** Whether whoever asks may see the metrics; null lets everybody. */
export type MetricsGuard = ((request: MetricsRequest) => boolean | Promise<boolean>) | null

/** What is served there. */
export interface MetricsSource {
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

/** Answers a request for metrics: 200 with them, 401 to strangers. */
export async function respondMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  { text, contentType, authorize }: MetricsSource,
  logger: Logger,
): Promise<void> {
  try {
    const { headers, socket } = request
    const mayRead =
      authorize === null || (await authorize({ headers, remoteAddress: socket.remoteAddress ?? '' })) === true
    if (!mayRead) {
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
    logger.error('The metrics could not be read.', describeError(error))
    if (response.headersSent) response.destroy()
    else respondJson(response, 500, { error: 'INTERNAL_SERVER_ERROR' })
  }
}
