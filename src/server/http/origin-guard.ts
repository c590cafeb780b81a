/**
 * Stage 8, server. Which web pages may use this server. A browser sends its cookies along with whatever page
 * asks, so pages of other sites are refused unless they are named: over WebSocket by Origin, over HTTP by
 * what only a page of ours, or one that passed a CORS preflight, can send.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { RowcastError } from '../../errors.ts'
import type { Refusals } from '../refusal.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'

/** Decides about origins. */
export interface OriginGuard {
  /** Whether a page of this origin may use the server: one that is named, or the server's own. */
  isAllowed(origin: string, host: string | undefined): boolean
  /** Whether an upgrade may go on. Programs other than browsers send no Origin. */
  mayUpgrade(headers: IncomingHttpHeaders): boolean
}

/** Headers that no page can send to another site without a preflight, under the names clients know. */
export const CSRF_HEADERS: readonly string[] = ['x-graphql-yoga-csrf', 'apollo-require-preflight']

/**
 * Of all that may stand in Authorization a browser adds what it keeps (Basic, Digest, Negotiate) by itself, and never a token. Gateways ask so, by
 * GET. A proxy that signs visitors in makes a token of their cookie, whatever page has caused the request: it counts where nothing says that one has.
 */
const BEARER = /^bearer /i

/** @param allowedOrigins such as `https://app.example.com`; `*` for all */
export function createOriginGuard(allowedOrigins: readonly string[]): OriginGuard {
  const allowed = new Set(allowedOrigins.map((origin) => origin.toLowerCase()))
  const isAllowed = (origin: string, host: string | undefined): boolean =>
    allowed.has('*') || allowed.has(origin.toLowerCase()) || (host !== undefined && isOf(origin, host))
  return {
    isAllowed,
    mayUpgrade: ({ origin, host }) => origin === undefined || isAllowed(origin, host?.toLowerCase()),
  }
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/** Whether a page of this origin comes from this host. Proxies may name the port that is the scheme's own. */
function isOf(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.host === host || `${url.hostname}:${DEFAULT_PORTS[url.protocol]}` === host
}

/** What a form of another site can post without a preflight. Fetch standard, "CORS-safelisted request-header". */
const FORM_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']

/**
 * Refuses requests that a page of another site can cause without a preflight: GET, and POST as forms do.
 * An EventSource can set no header; its browser says by itself whether the page is ours: in Sec-Fetch-Site, which is not
 * sent over plain HTTP but to localhost, or in Origin, which is not sent to the page's own server, or in Referer, in which
 * no page can name another.
 */
export function createCsrfGuard(guard: OriginGuard, refusals: Pick<Refusals, 'note'>): PipelinePlugin {
  return {
    onRequestParse({ request: { method, headers } }) {
      const contentType = headers.get('content-type')?.trim().toLowerCase()
      // Of a GET the type does not count: a GET has no body to have one.
      const isPreflighted =
        method !== 'GET' &&
        contentType !== undefined &&
        !FORM_TYPES.some((type) => contentType.startsWith(type))
      if (isPreflighted || CSRF_HEADERS.some((name) => headers.has(name))) return
      const site = headers.get('sec-fetch-site')
      if (site === 'same-origin') return
      const host = headers.get('host')?.toLowerCase()
      const origin = headers.get('origin')
      // With an origin, the referrer says nothing more.
      const page = origin ?? originOf(headers.get('referer'))
      if (page !== null && guard.isAllowed(page, host)) return
      const isOfNoPage = page === null && site === null
      if (isOfNoPage && BEARER.test(headers.get('authorization') ?? '')) return
      const message = 'This request could come from a page of another site.'
      const hint = `Send content-type: application/json with a POST, or the header ${CSRF_HEADERS[0]}: 1 with a GET.`
      refusals.note({ origin: page ?? undefined, host }, { code: 'CROSS_SITE_REQUEST', message, hint })
      throw new RowcastError('CROSS_SITE_REQUEST', message, { hint })
    },
  }
}

function originOf(referrer: string | null): string | null {
  return referrer !== null && URL.canParse(referrer) ? new URL(referrer).origin : null
}
