/** Stage 8, server. What of a request cannot be read, and what its client reads of that: a short answer, whatever it sent. */
import { GraphQLError } from 'graphql'
import type { PipelinePlugin } from '../session/connection-state.ts'

/**
 * What cannot be read is the mistake of its client, and says so. Yoga has no body for a media type that it does not know,
 * takes JSON in a URL or a form that is none for a mistake of its own, and repeats all of a body that is no JSON.
 */
export const unreadableRequests: PipelinePlugin = {
  onRequestParse({ request: { headers, method }, requestParser, setRequestParser }) {
    // Yoga refuses it next, with 405 and the methods there are.
    if (method !== 'GET' && method !== 'POST') return
    // Inflating what a client deflated is work that the client decides about.
    if ((headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity') !== 'identity')
      throw unsupported('The body of the request is compressed.', 'Send it without content-encoding.')
    if (requestParser === undefined) {
      const happened = 'The body of the request is of no media type that is read here.'
      throw unsupported(happened, 'Send a POST with content-type: application/json.')
    }
    setRequestParser(async (request) => {
      try {
        return await requestParser(request)
      } catch (error) {
        throw briefly(error)
      }
    })
  },
}

/** RFC 9110, 15.5.16. */
function unsupported(message: string, hint: string): GraphQLError {
  const http = { status: 415, headers: { 'accept-encoding': 'identity' } }
  return new GraphQLError(message, { extensions: { code: 'UNSUPPORTED_MEDIA_TYPE', hint, http } })
}

/** An answer that quotes its request may be seven times as long: JSON escapes what JSON has escaped. */
function briefly(error: unknown): unknown {
  if (error instanceof SyntaxError) {
    const extensions = { code: 'BAD_REQUEST', http: { status: 400 } }
    return new GraphQLError('`variables` and `extensions` must be JSON.', { extensions })
  }
  if (!(error instanceof GraphQLError) || error.extensions['originalError'] === undefined) return error
  const { originalError: _, ...extensions } = error.extensions
  return new GraphQLError(error.message, { extensions })
}
