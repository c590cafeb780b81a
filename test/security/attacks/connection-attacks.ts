/** Attacks by how bytes come: slowly, compressed, in pieces, in ways that HTTP/1.1 and RFC 6455 allow and nobody needs. */
import { deflateRawSync, gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { Arena } from './arena.ts'
import type { Attack } from './input-attacks.ts'

const QUERY = '{"query":"{ changeCursor }"}'
const JSON_TYPE = 'content-type: application/json'
const SUBSCRIBE =
  '{"id":"1","type":"subscribe","payload":{"query":"subscription { postChanged { cursor } }"}}'
const MASK = Buffer.from([1, 2, 3, 4])
const BOMB = Buffer.alloc(20 * 1024 * 1024)

const head = (line: string, ...headers: readonly string[]): string =>
  `${[line, 'host: localhost', ...headers].join('\r\n')}\r\n\r\n`
const post = (...headers: readonly string[]): string => head('POST /graphql HTTP/1.1', JSON_TYPE, ...headers)
const UPGRADE = head(
  'GET /graphql HTTP/1.1',
  ...['upgrade: websocket', 'connection: upgrade', 'sec-websocket-version: 13'],
  ...['sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-protocol: graphql-transport-ws'],
  'sec-websocket-extensions: permessage-deflate; client_max_window_bits',
)

/** A masked frame (RFC 6455, 5.2). @param first FIN, RSV and opcode */
function frame(first: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload)
  const length = Buffer.alloc(bytes.length < 126 ? 2 : 4)
  length[0] = first
  length[1] = 0x80 | Math.min(bytes.length, 126)
  if (bytes.length >= 126) length.writeUInt16BE(bytes.length, 2)
  return Buffer.concat([length, MASK, bytes.map((byte, at) => byte ^ (MASK[at % 4] as number))])
}

const TEXT = 0x81
const INIT = frame(TEXT, '{"type":"connection_init","payload":{"token":"attacker"}}')
const PING_UNASKED = frame(0x89, 'x'.repeat(100))
const PONG_UNASKED = frame(0x8a, 'x'.repeat(100))

/** The close code that a server's bytes end with; null where there is none. */
function closeCodeOf(said: string): number | null {
  const bytes = Buffer.from(said, 'latin1')
  const at = bytes.lastIndexOf(0x88)
  return at === -1 || at + 4 > bytes.length ? null : bytes.readUInt16BE(at + 2)
}

/** What was said to each, by the status or the close code it ended with: the server closes them all. */
async function endsOf(raw: Arena['raw'], attacks: readonly (readonly (string | Buffer)[])[]) {
  const said = await Promise.all(attacks.map((pieces) => raw(pieces, { idleMs: 5_000 })))
  return said.map((text) => closeCodeOf(text) ?? Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]))
}

export const CONNECTION_ATTACKS: Readonly<Record<string, Attack>> = {
  async 'headers, bodies, handshakes and frames, byte by byte'({ trickle }) {
    const request = post('content-length: 500')
    const streaming = post('content-length: 500', 'accept: text/event-stream')
    const refused: readonly (readonly [string, string | Buffer])[] = [
      ['', `POST /graphql HTTP/1.1\r\nhost: localhost\r\n${'a: b\r\n'.repeat(2_000)}`],
      ['', UPGRADE.trimEnd()],
      ['', 'GET / HTTP/1.1\r\nx: '.padEnd(5_000, 'x')],
      [request, '{"query":"'.padEnd(400, ' ')],
      [streaming, '{"query":"'.padEnd(400, ' ')],
      [post('transfer-encoding: chunked'), '1\r\nx\r\n'.repeat(400)],
    ]
    const answers = await Promise.all(
      refused.flatMap((each) => Array.from({ length: 4 }, () => trickle(...each))),
    )
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 /)
    // An introduction that never ends, and a message that leaves no room for the answer to a ping.
    const silent = await trickle(UPGRADE, INIT.subarray(0, 40))
    expect(closeCodeOf(silent)).toBe(4408)
    const framed = await trickle([UPGRADE, INIT], frame(TEXT, SUBSCRIBE.padEnd(5_000, ' ')))
    expect(framed).toContain('connection_ack')
    expect(framed).not.toContain('postChanged')
  },

  async 'a handshake of TLS that never ends, and other protocols'({ raw, trickle }) {
    const hello = Buffer.concat([
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
      Buffer.alloc(2_000, 7),
    ])
    expect(await trickle('', hello)).toMatch(/^HTTP\/1.1 400 /)
    for (const text of [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'SSH-2.0-x\r\n',
      '*1\r\n$4\r\nPING\r\n',
      '\x05\x01\x00',
    ])
      expect(await raw([text])).toMatch(/^(HTTP\/1.1 (400|408|505) |$)/)
  },

  async 'compressed frames and compressed bodies'({ raw }) {
    const deflated = deflateRawSync(BOMB)
    const [handshake] = await Promise.all([raw([UPGRADE])])
    expect(handshake).toMatch(/^HTTP\/1.1 101 /)
    expect(handshake).not.toMatch(/sec-websocket-extensions/i)
    const ends = await endsOf(raw, [
      [UPGRADE, INIT, frame(0xc1, deflated.subarray(0, 60_000))],
      [UPGRADE, INIT, frame(0xc1, deflateRawSync(SUBSCRIBE))],
      [UPGRADE, INIT, frame(0xa1, SUBSCRIBE)],
      [UPGRADE, INIT, frame(0x91, SUBSCRIBE)],
      [UPGRADE, INIT, frame(0x83, SUBSCRIBE)],
      [UPGRADE, INIT, frame(0x80, SUBSCRIBE)],
      [UPGRADE, INIT, frame(0x09, 'x'), frame(0x89, 'x'.repeat(126))],
    ])
    expect(ends).toEqual([1002, 1002, 1002, 1002, 1002, 1002, 1002])
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'identity, x']) {
      for (const accept of ['application/json', 'text/event-stream']) {
        const body = gzipSync(encoding === 'gzip' ? BOMB : QUERY)
        const headers = [
          `content-length: ${body.length}`,
          `content-encoding: ${encoding}`,
          'connection: close',
        ]
        expect(await raw([post(...headers, `accept: ${accept}`), body])).toMatch(/UNSUPPORTED_MEDIA_TYPE/)
      }
    }
  },

  async 'one message in thousands of fragments'({ raw }) {
    const fragments = (count: number, text: string, between: Buffer | null = null) =>
      Array.from({ length: count }, (_, n) => [
        frame(n === 0 ? 0x01 : 0x00, text),
        ...(between ? [between] : []),
      ]).flat()
    const ends = await endsOf(raw, [
      [UPGRADE, INIT, ...fragments(5_000, 'x')],
      [UPGRADE, INIT, ...fragments(5_000, '')],
      [UPGRADE, INIT, ...fragments(1_000, 'x', PING_UNASKED)],
      [UPGRADE, INIT, ...fragments(60, 'x'.repeat(4_000))],
    ])
    expect(ends).toEqual([1008, 1008, 1008, 1009])
  },

  async 'pings and pongs that nobody asked for, answered or not read'({ raw, trickle }) {
    const flood = Buffer.concat(
      Array.from({ length: 5_000 }, () => Buffer.concat([PING_UNASKED, PONG_UNASKED])),
    )
    const answered = await raw(
      [
        UPGRADE,
        INIT,
        flood,
        frame(TEXT, '{"id":"9","type":"subscribe","payload":{"query":"{ changeCursor }"}}'),
      ],
      {
        idleMs: 1_000,
      },
    )
    expect(answered).toContain('changeCursor')
    // A pong that answers no ping is no sign of life.
    const lasting = await trickle(
      [UPGRADE, INIT, frame(TEXT, SUBSCRIBE)],
      Buffer.concat(Array.from({ length: 2_000 }, () => PONG_UNASKED)),
      PONG_UNASKED.length,
    )
    expect(lasting).toContain('connection_ack')
  },

  async 'methods, expectations and lengths that nobody needs'({ raw }) {
    const answers = async (...pieces: readonly (string | Buffer)[]) => raw(pieces, { idleMs: 1_000 })
    for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'PURGE', 'QUERY'])
      for (const path of ['/graphql', '/health/live', '/', '/metrics'])
        expect(await answers(head(`${method} ${path} HTTP/1.1`, 'connection: close'))).not.toMatch(
          /^HTTP\/1.1 (5|101)/,
        )
    expect(
      await answers(post('expect: 200-ok', `content-length: ${QUERY.length}`, 'connection: close'), QUERY),
    ).toMatch(/^HTTP\/1.1 417 /)
    expect(
      await answers(
        post('expect: 100-continue', `content-length: ${QUERY.length}`, 'connection: close'),
        QUERY,
      ),
    ).toMatch(/HTTP\/1.1 200 /)
    // What is too long is refused, whether its client waits for a leave or not.
    expect(await answers(post('expect: 100-continue', 'content-length: 999999999'))).toMatch(
      /HTTP\/1.1 (408|413) /,
    )
    const chunked = post('transfer-encoding: chunked')
    for (const chunk of [
      'zz\r\n',
      '-1\r\nx\r\n',
      'ffffffffffffffffff\r\n',
      '1\r\nxyz\r\n',
      ` 1\r\nx\r\n`,
      `1;${'e'.repeat(50_000)}\r\nx\r\n`,
    ])
      expect(await answers(chunked, chunk)).toMatch(/^(HTTP\/1.1 4(00|08|13|31) )/)
    expect(await answers(chunked, `${'1\r\nx\r\n'.repeat(140_000)}0\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 (408|413) /,
    )
    for (const more of [
      ['content-length: -1'],
      ['content-length: 1e3'],
      ['content-length: 5', 'transfer-encoding: chunked'],
      ['transfer-encoding: gzip, chunked, identity'],
    ])
      expect(await answers(post(...more), QUERY)).toMatch(/^HTTP\/1.1 400 /)
  },

  async 'addresses, headers and requests without end'({ raw }) {
    const long = head(`GET /graphql?query=${'a'.repeat(100_000)} HTTP/1.1`, 'x-graphql-yoga-csrf: 1')
    const many = head('GET /graphql HTTP/1.1', ...Array.from({ length: 5_000 }, (_, n) => `a${n}: b`))
    const one = head('GET /graphql HTTP/1.1', `cookie: ${'a=b; '.repeat(20_000)}`)
    for (const text of [long, many, one]) expect(await raw([text])).toMatch(/^HTTP\/1.1 431 /)
    const piped = head('GET /graphql?query=%7BchangeCursor%7D HTTP/1.1', 'x-graphql-yoga-csrf: 1')
    const said = await raw([piped.repeat(2_000)], { idleMs: 1_000 })
    expect(said.split('HTTP/1.1 ').length).toBeLessThanOrEqual(66)
  },

  async 'upgrades with bodies, under HTTP/1.0, and twice'({ raw }) {
    const answers = [
      await raw([UPGRADE.replace('host:', 'content-length: 5\r\nhost:'), 'hello', INIT]),
      await raw([UPGRADE.replace('host:', 'transfer-encoding: chunked\r\nhost:'), '5\r\nhello\r\n0\r\n\r\n']),
      await raw([UPGRADE.replace('HTTP/1.1', 'HTTP/1.0')]),
      await raw([UPGRADE, UPGRADE]),
      await raw([UPGRADE.replace('upgrade: websocket', 'upgrade: websocket, h2c')]),
      await raw([UPGRADE.replace('GET', 'POST')]),
      await raw([
        head(
          'GET /graphql?query=%7BchangeCursor%7D HTTP/1.0',
          'connection: keep-alive',
          'x-graphql-yoga-csrf: 1',
        ).repeat(50),
      ]),
    ]
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 (101|200|4\d\d) /)
  },
}
