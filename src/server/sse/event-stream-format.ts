/**
 * Stage 8, server. Results as Server-Sent Events, in GraphQL over SSE's distinct connections mode: `next` for each result,
 * `complete` at the end. Written for browsers' EventSource as well, which comes back after every end unless it is asked to wait.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ExecutionResult } from 'graphql'
import { errorEntry, isErrorCode } from '../../errors.ts'
import type { ResponseWriter, ResultFrame, StreamFormat } from '../http/result-stream-format.ts'

const MEDIA_TYPE = 'text/event-stream'
/** How long an EventSource waits that has nothing to come back for: as good as for good. */
const RETRY_NEVER_MS = 86_400_000
const RETRY_SOON_MS = 1_000

const WRITER: ResponseWriter = {
  contentType: MEDIA_TYPE,
  head: '',
  // An id without data is no event to any client: an EventSource comes back with it, others pass over it.
  heartbeat: (bookmark) => (bookmark === null ? ':\n\n' : `id: ${bookmark}\n\n`),
  frame: nextEvent,
  connectionError(text) {
    const { head, tail } = nextEvent(null)
    return head + text + tail
  },
  end: completeEvent,
  // No `complete`, nor an error: to clients both are final, and the end of a response is a connection that was lost.
  // Fields without data are no event, and a comment is for people.
  comeBack: ({ extensions: { code, cursor, retryAfterMs } }) =>
    `: ${String(code)}\n${idOf(cursor)}retry: ${typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_SOON_MS}\n\n`,
}

/** Server-Sent Events. */
export const EVENT_STREAM: StreamFormat = {
  kind: 'sse',
  mediaType: MEDIA_TYPE,
  createWriter: () => WRITER,
}

function nextEvent(cursor: string | null): ResultFrame {
  return { head: `event: next\n${idOf(cursor)}data: `, tail: '\n\n' }
}

function completeEvent(last: ExecutionResult): string {
  const { code, cursor, retryAfterMs } = last.errors?.[0]?.extensions ?? {}
  const id = idOf(cursor)
  const isWorthwhile = id !== '' || mayPass(code)
  const retryMs =
    typeof retryAfterMs === 'number' ? retryAfterMs : isWorthwhile ? RETRY_SOON_MS : RETRY_NEVER_MS
  return `event: complete\n${id}retry: ${retryMs}\ndata:\n\n`
}

function idOf(cursor: unknown): string {
  return typeof cursor === 'string' ? `id: ${cursor}\n` : ''
}

/** Whether the same request may have another end next time. */
function mayPass(code: unknown): boolean {
  return isErrorCode(code) && errorEntry(code).retry === 'backoff'
}
