/**
 * Stage 8, server. GraphiQL as one page without any CDN. The page is 9 MB of script, so it is loaded and
 * rendered when a browser first asks, not when the server starts.
 */
import type { GraphiQLOptions } from 'graphql-yoga'

/**
 * How the page talks. SSE through POST to the same address: what its headers tab says reaches subscriptions
 * too (its WebSocket client sends no headers and offers no place for connectionParams), documents of any
 * length fit, and they stay out of access logs.
 */
const PAGE_OPTIONS: GraphiQLOptions = {
  title: 'rowcast',
  subscriptionsProtocol: 'SSE',
  method: 'POST',
}

/** Renders the page for Yoga. */
export async function renderGraphiqlPage(options: GraphiQLOptions): Promise<string> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
  return renderGraphiQL({ ...options, ...PAGE_OPTIONS })
}
