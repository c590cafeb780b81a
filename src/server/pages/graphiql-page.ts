/**
 * Stage 8, server. GraphiQL for browsers at GraphQL's own path, from the files that the build has made of page/graphiql: one
 * script, stored compressed and cached for good, without any CDN.
 */
import type { IncomingMessage } from 'node:http'
import { GRAPHQL_PATH } from '../graphql-path.ts'
import { createBuiltPage, securityHeaders } from './built-page.ts'
import { createHtmlFile, respondUnbuilt, type ServedPage } from './live-page.ts'
import type { StaticFile } from './static-file.ts'

/** What the page is given. */
export interface GraphiqlPageOptions {
  /** What it shows in its first tab. */
  readonly defaultQuery: string
  /** Whether there is a live page to go to. */
  readonly hasLivePage: boolean
}

/** Where its HTML has the options, as JSON. */
const OPTIONS = '<script type="application/json" id="options">{}</script>'
const ASSETS = `${GRAPHQL_PATH}/assets/`

/** Creates the page. @param folder where it is built to; for tests */
export function createGraphiqlPage(options: GraphiqlPageOptions, folder?: string): ServedPage {
  // Its editor and its dialogs make style sheets of their own as they run.
  const headers = securityHeaders("'self' 'unsafe-inline'")
  const page = createBuiltPage('graphiql', headers, folder)
  let index: StaticFile | null = null

  return {
    respond(request, response) {
      const [path = '/', query] = (request.url ?? '/').split('?', 2)
      if (request.method !== 'GET' && request.method !== 'HEAD') return null
      if (path.startsWith(ASSETS)) return page.asset(path)?.send(request, response) ?? null
      if (!isPage(path) || !acceptsHtml(request)) return null
      if (path !== GRAPHQL_PATH) {
        // What the page asks for is relative to the path without the slash, whatever a proxy has put before it.
        const location = `..${GRAPHQL_PATH}${query === undefined ? '' : `?${query}`}`
        response.writeHead(308, { location, 'content-length': 0 }).end()
        return Promise.resolve()
      }
      const html = page.html()
      if (html === null) return respondUnbuilt(response, 'GraphiQL')
      index ??= createHtmlFile(render(html, options), headers)
      return index.send(request, response)
    },
  }
}

function isPage(path: string): boolean {
  return path === GRAPHQL_PATH || path === `${GRAPHQL_PATH}/`
}

/** Browsers do; programs that take whatever comes get GraphQL's answer. */
function acceptsHtml({ headers }: IncomingMessage): boolean {
  return headers.accept?.toLowerCase().includes('text/html') === true
}

/** No text of the options ends the element that they stand in. */
function render(html: string, options: GraphiqlPageOptions): string {
  const json = JSON.stringify(options).replaceAll('<', '\\u003c')
  return html.replace(OPTIONS, () => OPTIONS.replace('{}', () => json))
}
