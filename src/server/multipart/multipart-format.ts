/**
 * Stage 8, server. Results as the parts of one response, in the protocol of Apollo's clients: `{"payload": …}` for each result, `{}`
 * as a sign of life, errors of the connection beside the payload instead of in it, and the closing delimiter at the end.
 * https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
 */
import { randomUUID } from 'node:crypto'
import { formatResult } from '../delivery/format-result.ts'
import type { ResponseWriter, StreamFormat } from '../http/result-stream-format.ts'

const MEDIA_TYPE = 'multipart/mixed'

/** Multipart HTTP. */
export const MULTIPART: StreamFormat = {
  kind: 'multipart',
  mediaType: MEDIA_TYPE,
  // There are other protocols of this media type: their clients would find no data in a payload.
  parameter: ['subscriptionspec', '1.0'],
  createWriter: createPartWriter,
}

/**
 * Clients know a part by the delimiter behind it, so each is sent with it. Some look for the delimiter within a part as well: no
 * row can contain one that nobody knows before.
 */
function createPartWriter(): ResponseWriter {
  const boundary = randomUUID()
  const delimiter = `\r\n--${boundary}`
  // No other field: Apollo's client for iOS reads a header of one line.
  const head = '\r\ncontent-type: application/json\r\n\r\n'
  const part = (json: string): string => `${head}${json}${delimiter}`
  const connectionError = (text: string): string => part(`{"payload":null,${text.slice(1)}`)
  const end = (): string => '--\r\n'
  return {
    // Without quotes and blanks: Apollo's client for iOS looks for this very text.
    contentType: `${MEDIA_TYPE};boundary=${boundary};subscriptionSpec=1.0`,
    head: delimiter,
    // Exactly this: anything more is a result to some.
    heartbeat: () => part('{}'),
    frame: () => ({ head: `${head}{"payload":`, tail: `}${delimiter}` }),
    connectionError,
    end,
    // A response that just ends is one without a reason: its client is to know where to go on, and when.
    comeBack: (error) => connectionError(formatResult({ errors: [error] })) + end(),
  }
}
