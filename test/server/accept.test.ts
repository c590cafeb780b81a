/** Which answer a client prefers, by its `Accept` header alone. */
import { expect, test } from 'vitest'
import { chooseAnswer, chooseFormat, namedFormat, parseAccept } from '../../src/server/http/accept.ts'
import { STREAM_FORMATS } from '../../src/server/result-stream-formats.ts'
import { MULTIPART_ACCEPT } from '../support/multipart-client.ts'

const JSON_TYPE = 'application/json'
const RESPONSE_TYPE = 'application/graphql-response+json'
const APOLLO = 'multipart/mixed;subscriptionSpec=1.0'

const nameOf = (choice: ReturnType<typeof chooseAnswer>) =>
  typeof choice === 'object' ? choice.kind : (choice ?? null)

/** What a stream is sent as, what one result is, and what the client is to `context`. */
const CASES: readonly (readonly [
  accept: string | undefined,
  stream: string | null,
  one: string | null,
  kind: string,
])[] = [
  [undefined, 'sse', JSON_TYPE, 'http'],
  ['', 'sse', JSON_TYPE, 'http'],
  ['*/*', 'sse', JSON_TYPE, 'http'],
  ['text/*', 'sse', 'sse', 'http'],
  ['text/event-stream', 'sse', 'sse', 'sse'],
  ['TEXT/Event-Stream ; charset=UTF-8', 'sse', 'sse', 'sse'],
  ['text/event-stream;charset=latin1', null, null, 'http'],
  [JSON_TYPE, null, JSON_TYPE, 'http'],
  ['application/*', null, JSON_TYPE, 'http'],
  [`${RESPONSE_TYPE}, ${JSON_TYPE}`, null, RESPONSE_TYPE, 'http'],
  [`${JSON_TYPE}, ${RESPONSE_TYPE}`, null, JSON_TYPE, 'http'],
  [`${JSON_TYPE};q=0.1, ${RESPONSE_TYPE};q=0.2`, null, RESPONSE_TYPE, 'http'],
  [`${JSON_TYPE};q=0, */*`, 'sse', RESPONSE_TYPE, 'http'],
  [MULTIPART_ACCEPT, 'multipart', RESPONSE_TYPE, 'multipart'],
  [APOLLO, 'multipart', 'multipart', 'multipart'],
  ['multipart/mixed; subscriptionSpec="1.0", application/json', 'multipart', JSON_TYPE, 'multipart'],
  ['Multipart/Mixed;SUBSCRIPTIONSPEC=1.0', 'multipart', 'multipart', 'multipart'],
  // Others of the media type: their clients look for no payload.
  ['multipart/mixed', null, null, 'http'],
  ['multipart/*', null, null, 'http'],
  ['multipart/mixed;deferSpec=20220824, application/json', null, JSON_TYPE, 'http'],
  ['multipart/mixed;subscriptionSpec=2.0, application/json', null, JSON_TYPE, 'http'],
  // urql's.
  ['text/event-stream, multipart/mixed', 'sse', 'sse', 'sse'],
  // Of two alike the first; of two that are not, the one that is wanted more.
  [`${APOLLO}, text/event-stream`, 'multipart', 'multipart', 'multipart'],
  [`text/event-stream, ${APOLLO}`, 'sse', 'sse', 'sse'],
  [`${APOLLO}, text/event-stream;q=0.9`, 'multipart', 'multipart', 'multipart'],
  [`${APOLLO};q=0.4, text/event-stream;q=0.5`, 'sse', 'sse', 'sse'],
  // A name counts more than a wildcard.
  [`${APOLLO}, */*`, 'multipart', JSON_TYPE, 'multipart'],
  [`*/*, ${APOLLO}`, 'multipart', JSON_TYPE, 'multipart'],
  [`${APOLLO}, */*;q=0.1`, 'multipart', 'multipart', 'multipart'],
  ['text/event-stream;q=0.9, application/json;q=0.1', 'sse', 'sse', 'sse'],
  ['application/json, text/event-stream;q=0.5', 'sse', JSON_TYPE, 'sse'],
  // Never, whatever else is taken.
  [`${APOLLO};q=0, text/event-stream`, 'sse', 'sse', 'sse'],
  ['text/event-stream;q=0, */*', null, JSON_TYPE, 'http'],
  [`text/event-stream;q=0, ${APOLLO}`, 'multipart', 'multipart', 'multipart'],
  // What is no quality says nothing.
  ['text/event-stream;q=x', 'sse', 'sse', 'sse'],
  ['text/event-stream;q=-1', 'sse', 'sse', 'sse'],
  ['text/event-stream;q=', 'sse', 'sse', 'sse'],
  [',,;,text/event-stream,', 'sse', 'sse', 'sse'],
  ['text/html', null, null, 'http'],
]

test.each(CASES)('%s: a stream as %s, one result as %s, to context %s', (accept, stream, one, kind) => {
  const ranges = parseAccept(accept)
  expect(nameOf(chooseFormat(ranges, STREAM_FORMATS))).toBe(stream)
  expect(nameOf(chooseAnswer(ranges, STREAM_FORMATS))).toBe(one)
  expect(namedFormat(ranges, STREAM_FORMATS)?.kind ?? 'http').toBe(kind)
})
