/** Stage 8, server. How long the body of a request may be, in a Yoga that is somebody else's and has a bound of its own. */
import { GraphQLError } from 'graphql'
import type { FetchAPI } from 'graphql-yoga'
import type { PipelinePlugin } from '../session/connection-state.ts'

/** Answers longer bodies as Yoga does, and reads no more of them than that. */
export function createBodyLimit(bytesMax: number): PipelinePlugin {
  return {
    onRequestParse({ request: { headers, body }, requestParser, setRequestParser, fetchAPI }) {
      const length = headers.get('content-length')
      if (length !== null && !(Number(length) <= bytesMax)) throw tooLong()
      // Node.js reads no more than was said.
      if (length !== null || body === null || requestParser === undefined) return
      setRequestParser((request) => requestParser(bounded(request, bytesMax, fetchAPI)))
    },
  }
}

/** The same request, whose body fails where it is too long. */
function bounded(request: Request, bytesMax: number, fetchAPI: FetchAPI): Request {
  const { body, url, method, headers, signal } = request
  if (body === null) return request
  // Streams of two makes do not fit each other.
  const Transform = body instanceof ReadableStream ? TransformStream : fetchAPI.TransformStream
  let bytes = 0
  const counted = new Transform<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) controller.error(tooLong())
      else controller.enqueue(chunk)
    },
  })
  const init = { method, headers, signal, body: body.pipeThrough(counted), duplex: 'half' }
  return new fetchAPI.Request(url, init)
}

function tooLong(): GraphQLError {
  const extensions = { code: 'REQUEST_ENTITY_TOO_LARGE', http: { status: 413 } }
  return new GraphQLError('Request body too large', { extensions })
}
