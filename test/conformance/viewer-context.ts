/** The `context` of a server of rowcast's, or of handlers, under the conformance suite. */
import type { ContextSource } from '../../src/server/session/context.ts'
import { VIEWER_HEADER, type ViewerContext } from './target.ts'

/** Whoever asks is who they say. */
export function viewerContext(source: ContextSource): { readonly context: ViewerContext } {
  const viewer =
    source.kind === 'websocket'
      ? String(source.connectionParams['viewer'])
      : String(source.headers[VIEWER_HEADER] ?? 'admin')
  return { context: { viewer } }
}
