/** Stage 8, server. What a request asks for, and whether it can be asked at all. Headers and paths are anybody's text. */
import type { IncomingMessage } from 'node:http'

/** The path without query and trailing slash. Never throws: `new URL` does for `//`. */
export function pathOf(request: Pick<IncomingMessage, 'url'>): string {
  const [path = '/'] = (request.url ?? '/').split('?', 1)
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** Whether host and path make an address: what is behind (Yoga) makes a URL of them, and answers with a stack trace where it cannot. */
export function hasValidAddress({ headers, url = '/' }: IncomingMessage): boolean {
  return url.startsWith('/') && URL.canParse(`http://${headers.host ?? 'localhost'}${url}`)
}
