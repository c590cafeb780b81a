/**
 * Stage 8, server. Requests that are refused before GraphQL sees them: each answer has a body with a code, and the log
 * says once per origin and reason what was compared, as long as there are not too many of them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, errorEntry, isErrorCode } from '../errors.ts'
import { LogBudget } from '../log-line-budget.ts'
import type { Logger } from '../logger.ts'
import { escapeControls } from '../printable.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { respondJson } from './health.ts'

/** Codes of what HTTP itself refuses; all others are of the error table. */
type HttpCode = 'NOT_FOUND' | 'BAD_HANDSHAKE' | 'TRANSPORT_NOT_SUPPORTED'

/** Why a request is refused. */
export interface Refusal {
  readonly code: ErrorCode | HttpCode
  readonly message: string
  /** What to do about it. @default the error table's */
  readonly hint?: string | undefined
}

/** Refuses requests. */
export interface Refusals {
  /** Notes it in the log, the first time for this origin, host and reason. */
  note(headers: Pick<IncomingMessage['headers'], 'origin' | 'host'>, refusal: Refusal): void
  /** Answers a request. */
  respond(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void
  /** Answers a request for an upgrade, and closes its connection whatever the client goes on to do. */
  refuseUpgrade(request: IncomingMessage, socket: Duplex, refusal: Refusal): void
}

const STATUS: Readonly<Record<HttpCode, number>> = {
  BAD_HANDSHAKE: 400,
  NOT_FOUND: 404,
  TRANSPORT_NOT_SUPPORTED: 405,
}
const REASONS: Readonly<Record<number, string>> = {
  ...{ 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed' },
  ...{ 429: 'Too Many Requests', 503: 'Service Unavailable' },
}
/** Headers of a status: what to send instead, and when to come back. */
const HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  400: { 'sec-websocket-version': '13' },
  405: { allow: 'GET, POST' },
  429: { 'retry-after': '5' },
  503: { 'retry-after': '1' },
}
/** What has been noted is kept for so many; then it restarts. */
const NOTED_MAX = 1_000
/** Refusals in the log in a minute: a client may send another origin with each request. */
const LOGGED_PER_MINUTE = 50
const SHOWN_CHARACTERS_MAX = 200
/** Refused connections that still take their answer; beyond them none is given. */
const CLOSING_MAX = 200

/** Creates them. @param lingerMs how long a connection may take to read why it was refused */
export function createRefusals(logger: Logger, lingerMs: number): Refusals {
  const budget = new LogBudget(LOGGED_PER_MINUTE)
  const noted = new Set<string>()
  const closing = new Set<Duplex>()

  function note(
    { origin, host }: Pick<IncomingMessage['headers'], 'origin' | 'host'>,
    refusal: Refusal,
  ): void {
    const shown = { code: refusal.code, origin: show(origin), host: show(host) }
    const key = JSON.stringify(shown)
    if (noted.has(key)) return
    if (noted.size >= NOTED_MAX) noted.clear()
    noted.add(key)
    const line = budget.take()
    if (line === null) return
    logger.warn('A request was refused.', {
      ...{ ...shown, message: refusal.message, hint: hintOf(refusal) },
      ...(line.leftOut > 0 ? { leftOut: line.leftOut } : {}),
      ...(line.isLast ? { next: 'What else is refused within this minute is counted only.' } : {}),
    })
  }

  return {
    note,
    respond(request, response, refusal) {
      note(request.headers, refusal)
      const status = statusOf(refusal)
      for (const [name, value] of Object.entries(HEADERS[status] ?? {})) response.setHeader(name, value)
      respondJson(response, status, bodyOf(refusal))
    },
    refuseUpgrade(request, socket, refusal) {
      note(request.headers, refusal)
      const end = (): void => {
        clearTimeout(timer)
        closing.delete(socket)
        socket.destroy()
      }
      const timer = setTimeout(end, lingerMs)
      socket.once('error', end).once('close', end)
      if (closing.size >= CLOSING_MAX) return end()
      closing.add(socket)
      // Node keeps the half of a connection open that its client has not ended: it is ours to close both.
      socket.once('finish', end)
      socket.resume()
      socket.end(formatResponse(statusOf(refusal), JSON.stringify(bodyOf(refusal))))
    },
  }
}

/** Where there is nothing. */
export const NOT_FOUND: Refusal = {
  code: 'NOT_FOUND',
  message: `There is nothing here. GraphQL, its subscriptions and GraphiQL are at ${GRAPHQL_PATH}.`,
}
export const STOPPING_REFUSAL: Refusal = { code: 'SERVER_STOPPING', message: 'The server is stopping.' }
export const TOO_MANY: Refusal = {
  code: 'TOO_MANY_CONNECTIONS',
  message: 'Too many connections come from this address.',
}
export const HOST_REFUSAL = {
  code: 'HOST_NOT_ALLOWED',
  message: 'This server is not known by the name that the request has as its host.',
} as const satisfies Refusal
export const SINGLE_CONNECTION: Refusal = {
  code: 'TRANSPORT_NOT_SUPPORTED',
  message: 'The single connection mode of GraphQL over SSE is not spoken here.',
  hint: 'Use the distinct connections mode: in graphql-sse leave `singleConnection` out. Or subscribe over WebSocket with graphql-ws.',
}
/** GraphQL over SSE's other mode begins with a PUT that reserves a stream, and names it in a header from then on. */
export function asksForSingleConnection({ method, headers }: IncomingMessage): boolean {
  return method === 'PUT' || headers['x-graphql-event-stream-token'] !== undefined
}

export const ORIGIN_REFUSAL = {
  code: 'CROSS_SITE_REQUEST',
  message: 'The page comes from an origin that is neither this server nor named in `allowedOrigins`.',
  hint: 'Name the origin in `allowedOrigins`. If the page is this server’s own, a proxy in front changes the Host header: have it send the one that the browser sent, port included.',
} as const satisfies Refusal

function statusOf({ code }: Refusal): number {
  if (!isErrorCode(code)) return STATUS[code]
  // Not for an operation that GraphQL has begun: an EventSource would give up.
  return code === 'SERVER_STOPPING' ? 503 : (errorEntry(code).httpStatus ?? 400)
}

function hintOf({ code, hint }: Refusal): string | undefined {
  return hint ?? (isErrorCode(code) ? errorEntry(code).hint : undefined)
}

/** As GraphQL has its errors, so that clients find code and hint where they are used to. */
function bodyOf(refusal: Refusal): { readonly errors: readonly object[] } {
  const extensions = { code: refusal.code, hint: hintOf(refusal) }
  return { errors: [{ message: refusal.message, extensions }] }
}

function formatResponse(status: number, body: string): string {
  const headers = {
    ...{ connection: 'close', 'cache-control': 'no-store' },
    ...{ 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) },
    ...HEADERS[status],
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join('')}\r\n${body}`
}

function show(header: string | undefined): string | null {
  return header === undefined ? null : escapeControls(header.slice(0, SHOWN_CHARACTERS_MAX))
}
