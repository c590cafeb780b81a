/** Requests at the edges of HTTP: each is answered or refused in its own words, and the server goes on. */
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { openRawSocket } from '../support/raw-socket.ts'
import { startProbe } from './transports.ts'

const JSON_BODY = '{"query":"{ hello }"}'
const HELLO = '/graphql?query=%7Bhello%7D'
let url = ''

/** What is answered until the server closes, or says nothing more; the connection asks for its end. */
async function exchange(...parts: readonly (string | Buffer)[]): Promise<string> {
  const { socket, text } = await openRawSocket({ url })
  const closed = once(socket, 'close')
  for (const part of parts) socket.write(part)
  await closed
  return text()
}

const head = (line: string, ...headers: readonly string[]): string =>
  `${[line, 'Host: localhost', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
const post = (body: string | Buffer, ...headers: readonly string[]): [string, string | Buffer] => [
  head('POST /graphql HTTP/1.1', `Content-Length: ${Buffer.byteLength(body)}`, ...headers),
  body,
]
const JSON_TYPE = 'Content-Type: application/json'

const FORM = [
  ...['--x', 'Content-Disposition: form-data; name="operations"', '', JSON_BODY],
  ...['--x', 'Content-Disposition: form-data; name="map"', '', '{}', '--x--', ''],
].join('\r\n')

const TABLE: readonly (readonly [string, readonly (string | Buffer)[], RegExp])[] = [
  [
    'a body that is compressed',
    post(gzipSync(JSON_BODY), JSON_TYPE, 'Content-Encoding: gzip'),
    /^HTTP\/1.1 415 [\s\S]*accept-encoding: identity[\s\S]*UNSUPPORTED_MEDIA_TYPE/,
  ],
  [
    'a body that says that it is not compressed',
    post(JSON_BODY, JSON_TYPE, 'Content-Encoding: identity'),
    /^HTTP\/1.1 200 /,
  ],
  [
    'a body that is no JSON',
    post('\0'.repeat(100_000), JSON_TYPE),
    /^(?=[\s\S]{0,800}$)HTTP\/1.1 [24]00 [\s\S]*BAD_REQUEST/,
  ],
  ['a form of a page', post(FORM, 'Content-Type: multipart/form-data; boundary=x'), /^HTTP\/1.1 (403|415) /],
  ['a form of text', post(JSON_BODY, 'Content-Type: text/plain'), /^HTTP\/1.1 (403|415) /],
  [
    'an urlencoded form',
    post('query={hello}', 'Content-Type: application/x-www-form-urlencoded'),
    /^HTTP\/1.1 (403|415) /,
  ],
  ['a document alone', post('{ hello }', 'Content-Type: application/graphql'), /^HTTP\/1.1 200 [\s\S]*world/],
  [
    'a method that GraphQL does not have',
    [head('PATCH /graphql HTTP/1.1', JSON_TYPE, `Content-Length: ${JSON_BODY.length}`), JSON_BODY],
    /^HTTP\/1.1 405 [\s\S]*allow: GET, POST/i,
  ],
  ['no type at all', post(JSON_BODY), /^HTTP\/1.1 (403|415) /],
  [
    'two lengths',
    [head('POST /graphql HTTP/1.1', JSON_TYPE, 'Content-Length: 5', 'Content-Length: 21'), JSON_BODY],
    /^HTTP\/1.1 400 /,
  ],
  [
    'a length and chunks',
    [
      head('POST /graphql HTTP/1.1', JSON_TYPE, 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      '0\r\n\r\n',
    ],
    /^HTTP\/1.1 400 /,
  ],
  [
    'chunks that are none',
    [head('POST /graphql HTTP/1.1', JSON_TYPE, 'Transfer-Encoding: chunked'), 'zz\r\n'],
    /^HTTP\/1.1 400 /,
  ],
  [
    'HTTP/1.0',
    [head('POST /graphql HTTP/1.0', JSON_TYPE, `Content-Length: ${JSON_BODY.length}`), JSON_BODY],
    /^HTTP\/1.1 200 [\s\S]*world/,
  ],
  [
    'an address of another host',
    [head(`GET http://evil.example${HELLO} HTTP/1.1`, 'x-graphql-yoga-csrf: 1')],
    /^HTTP\/1.1 (200|400|403|404) /,
  ],
  [
    'an upgrade with a body',
    [
      head('POST /graphql HTTP/1.1', 'Upgrade: websocket', JSON_TYPE, `Content-Length: ${JSON_BODY.length}`),
      JSON_BODY,
    ],
    /^HTTP\/1.1 (200|400|405|426) /,
  ],
  [
    'a thousand headers',
    [
      head(
        `GET ${HELLO} HTTP/1.1`,
        'x-graphql-yoga-csrf: 1',
        ...Array.from({ length: 1_000 }, (_, n) => `a${n}: b`),
      ),
    ],
    /^HTTP\/1.1 (200|431) /,
  ],
  [
    'an operation called __proto__',
    post('{"query":"query __proto__ { hello }","operationName":"__proto__"}', JSON_TYPE),
    /world/,
  ],
  [
    'an operation that is not there',
    post('{"query":"query a { hello }","operationName":"\u202e"}', JSON_TYPE),
    /"errors"/,
  ],
  [
    'a hash instead of a document',
    post('{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}', JSON_TYPE),
    /"errors"/,
  ],
  ['@defer', post('{"query":"{ ... @defer { hello } }"}', JSON_TYPE), /Unknown directive|"errors"/],
  ['@stream', post('{"query":"{ hello @stream }"}', JSON_TYPE), /Unknown directive|"errors"/],
  [
    'two root fields of a subscription',
    post('{"query":"subscription { ticks viewer }"}', JSON_TYPE, 'Accept: text/event-stream'),
    /errors/,
  ],
  [
    'the schema by aliases',
    post('{"query":"{ a: __schema { types { name } } b: __type(name: \\"Query\\") { name } }"}', JSON_TYPE),
    /"errors"/,
  ],
]

afterEach(async () => {
  // Whatever came before, the next one is answered.
  expect(await exchange(head(`GET ${HELLO} HTTP/1.1`, 'x-graphql-yoga-csrf: 1'))).toMatch(/world/)
})

test.each(TABLE)('%s', async (_what, parts, answer) => {
  const probe = await startProbe()
  url = probe.url
  const text = await exchange(...parts)
  expect(text).toMatch(answer)
  expect(text).not.toMatch(/ 500 |node_modules|file:\/\/|\n {4}at /)
})
