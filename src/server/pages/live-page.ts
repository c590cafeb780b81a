/**
 * Stage 8, server. The live page at `/`: the few files that the build has made of page/. They hold no data and ask for
 * it over GraphQL; nothing but these files can be asked for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { respondJson } from '../health.ts'
import { createBuiltPage, securityHeaders } from './built-page.ts'
import { createStaticFile, type StaticFile } from './static-file.ts'

/** A page. */
export interface ServedPage {
  /** Answers requests for one of its files, which takes until the promise resolves; null for all others. */
  respond(request: IncomingMessage, response: ServerResponse): Promise<void> | null
}

/** Creates the page. @param folder where it is built to; for tests */
export function createLivePage(folder?: string): ServedPage {
  const headers = securityHeaders()
  const page = createBuiltPage('page', headers, folder)
  let index: StaticFile | null = null

  return {
    respond(request, response) {
      const [path = '/'] = (request.url ?? '/').split('?', 1)
      if (request.method !== 'GET' && request.method !== 'HEAD') return null
      if (path !== '/') return page.asset(path)?.send(request, response) ?? null
      const html = page.html()
      if (html === null) return respondUnbuilt(response, 'The live page')
      index ??= createHtmlFile(html, headers)
      return index.send(request, response)
    },
  }
}

/** The HTML of a page: asked for again each time, and sent again where it has changed. */
export function createHtmlFile(html: string, headers: ReturnType<typeof securityHeaders>): StaticFile {
  const type = 'text/html; charset=utf-8'
  return createStaticFile({ content: Buffer.from(html), type, isHashed: false, headers })
}

/** In this repository, or in a bundle of an application: the package has its pages built, as files beside it. */
export async function respondUnbuilt(response: ServerResponse, name: string): Promise<void> {
  const message = `${name} has not been built, or is not beside this file: leave rowcast out of a bundle of yours (external). In rowcast’s own repository: npm run page.`
  respondJson(response, 404, { error: 'NOT_FOUND', message })
}
