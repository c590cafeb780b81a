/**
 * Stage 8, server. `/health/live`: the process answers. `/health/ready`: changes flow; a load balancer
 * sends nobody here before.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { GuardedFailure } from '../guard.ts'

/** Whether changes flow, and what to say about it. Names, states and counts only: anyone may read it. */
export interface HealthReport {
  /** True only while the replication stream is live. */
  readonly isReady: boolean
  /** Facts for the JSON body, such as the state of the replication stream. */
  readonly details?: HealthDetails | undefined
}

type HealthFact = string | number | boolean | null | { readonly [name: string]: HealthFact }

/** By name; one of several databases has facts of its own. */
export type HealthDetails = Readonly<Record<string, HealthFact>>

/** Answers 200 while the process runs. */
export function respondLive(response: ServerResponse): void {
  respondJson(response, 200, { status: 'live' })
}

/** Answers 200 when ready, 503 when not. */
export function respondReady(response: ServerResponse, report: HealthReport): void {
  const status = report.isReady ? 'ready' : 'not_ready'
  respondJson(response, report.isReady ? 200 : 503, { status, ...report.details })
}

/** Answers 500 with the id that the log has; a response that has begun is cut. */
export function respondFailure(
  { id }: GuardedFailure,
  _request: IncomingMessage,
  response: ServerResponse,
): void {
  if (response.headersSent) response.destroy()
  else respondJson(response, 500, { error: 'INTERNAL_SERVER_ERROR', id })
}

/** Answers with a small JSON body that no cache keeps. */
export function respondJson(
  response: ServerResponse,
  status: number,
  body: Readonly<Record<string, unknown>>,
): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  })
  response.end(text)
}
