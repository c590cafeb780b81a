/** Attacks by what is sent: each is one function, run against the served package with honest subscribers beside it. */
import { expect } from 'vitest'
import type { Arena } from './arena.ts'
import { moment } from './arena.ts'
import { NO_POLICIES, NO_SESSIONS, PATIENCE_MS } from './attacked-config.ts'

export type Attack = (arena: Arena) => Promise<void>

const ROWS = '{ users { id email } }'
const CHANGES =
  'subscription ($where: UserWhere, $after: Cursor) { userChanged(where: $where, after: $after) { new { id email settings } } }'
const head = (line: string, headers: readonly string[] = ['host: localhost']): string =>
  `${[line, ...headers].join('\r\n')}\r\n\r\n`
/** A request with a body over HTTP or SSE. */
const post = (body: string, accept = 'application/json', more: readonly string[] = []): string =>
  head('POST /graphql HTTP/1.1', [
    ...['host: localhost', `accept: ${accept}`, 'content-type: application/json', 'connection: close'],
    ...[`content-length: ${Buffer.byteLength(body)}`, ...more],
  ]) + body
const everyAnswer = (answers: Readonly<Record<string, string>>, pattern: RegExp): void => {
  for (const [transport, answer] of Object.entries(answers))
    expect(`${transport}: ${answer}`).toMatch(pattern)
}

export const INPUT_ATTACKS: Readonly<Record<string, Attack>> = {
  async 'deeply nested JSON, in the database and in requests'({ database, socket, ask, raw }) {
    const reading = await socket()
    reading.subscribe('1', CHANGES)
    for (const levels of [3_000, 7_000]) {
      await database.query(
        `UPDATE users SET settings = (repeat('[', ${levels}) || repeat(']', ${levels}))::jsonb WHERE email = 'deep@example.com'`,
      )
      await moment(100)
    }
    const nested = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    for (const accept of ['application/json', 'text/event-stream']) {
      await raw([post(`{"query":"{ hello }","variables":{"a":${nested}}}`, accept)])
      await raw([post(`{"query":"{ users(take: ${'['.repeat(10_000)}) { id } }"}`, accept)])
    }
    const deep = await socket()
    deep.send(
      `{"id":"1","type":"subscribe","payload":{"query":"{ users { id } }","variables":{"a":${nested}}}}`,
    )
    const intro = await socket({ isInitialized: false })
    intro.send(`{"type":"connection_init","payload":{"a":${nested}}}`)
    await moment(100)
    everyAnswer(
      await ask(`{ ${'users { posts { author '.repeat(30)} { id } ${'} } '.repeat(30)} }`),
      /QUERY_OVER_LIMIT/,
    )
  },

  async 'paths, hosts and requests that are none'({ raw }) {
    const answers = await Promise.all(
      [
        head('GET // HTTP/1.1'),
        head('GET //graphql HTTP/1.1'),
        head('GET /graphql?query=%ZZ HTTP/1.1'),
        head('GET /%00/../../etc/passwd HTTP/1.1'),
        head('GET http://[ HTTP/1.1'),
        head('OPTIONS * HTTP/1.1'),
        head('CONNECT localhost:1 HTTP/1.1'),
        head('PUT /graphql HTTP/1.1'),
        head('GET /graphql?query={hello} HTTP/1.1', ['host: x:99999', 'x-graphql-yoga-csrf: 1']),
        head('GET /health/live HTTP/1.1', ['host: x:99999']),
        head('GET /metrics HTTP/1.1', ['host: ][']),
        head('GET / HTTP/1.1', []),
        head('GET /graphql HTTP/1.1', ['host: a', 'host: b']),
        head('GET /graphql?query=%7Busers%7Bid%7D%7D HTTP/1.1', [
          'host: localhost',
          'upgrade: h2c',
          'connection: upgrade',
        ]),
        'GARBAGE\r\n\r\n',
        '\0\0\0\0\r\n\r\n',
      ].map((text) => raw([text])),
    )
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1.1 \d{3} |$)/)
    expect(answers.join()).not.toMatch(/HTTP\/1.1 500/)
  },

  async 'long repeats in every text'({ ask, raw, socket }) {
    const long = (text: string, times = 30_000) => text.repeat(times / text.length)
    for (const text of ['?', '1', ' ', '%a', '_', '(', '\\', '"']) {
      await ask(CHANGES, { variables: { where: { email: { contains: long(text) } }, after: long(text) } })
    }
    await ask(`{ users(take: ${long('9')}) { id } }`)
    await ask(`{ user${long('s')} { id } }`)
    await ask(`{ user(id: "${long('0-')}") { id } }`)
    await ask(CHANGES, { variables: { where: { createdAt: { gt: long('2026-') } }, after: long('f') } })
    for (const name of [
      'accept',
      'origin',
      'authorization',
      'x-forwarded-for',
      'last-event-id',
      'content-type',
      'cookie',
    ]) {
      const line = `${name}: ${long(',; =a1.:"', 12_000)}`
      await raw([post('{"query":"{ users { id } }"}', 'text/event-stream', [line])], { idleMs: 100 })
    }
    const sent = await socket()
    for (const type of [long('x'), 'ping', 'complete'])
      sent.send({ type, id: long('i'), payload: { a: long('p') } })
    sent.subscribe(long('i'), ROWS)
    await moment(50)
  },

  async 'headers, ids, bodies and fragments over their bounds'({ raw, socket }) {
    expect(await raw([head('GET / HTTP/1.1', ['host: localhost', `x: ${'y'.repeat(20_000)}`])])).toMatch(
      / 431 /,
    )
    for (const accept of ['application/json', 'text/event-stream'])
      expect(await raw([post(`{"query":"${'x'.repeat(200_000)}"}`, accept)])).toMatch(/ 413 /)
    const [big, many, id, list] = [await socket(), await socket(), await socket(), await socket()]
    big.send('x'.repeat(200_000))
    for (let n = 0; n < 100; n += 1) many.socket.send('x', { fin: false })
    id.subscribe('i'.repeat(2_000), ROWS)
    list.send([{ id: '1', type: 'subscribe', payload: { query: ROWS } }])
    expect([await big.ended, await many.ended, await list.ended]).toEqual([1009, 1008, 4400])
    expect((await id.got(2)).join()).toContain('QUERY_OVER_LIMIT')
  },

  async 'documents of comments, each another one'({ ask, socket }) {
    const comments = '#\n'.repeat(15_000)
    everyAnswer(await ask(`${comments}${ROWS}`), /QUERY_OVER_LIMIT|no body/)
    const sending = await socket()
    for (let n = 0; n < 300; n += 1) sending.subscribe(String(n), `{ hello${n} } #${'x'.repeat(30_000)}`)
    await sending.got(300)
  },

  async 'batches of operations'({ raw, ask }) {
    const batch = JSON.stringify(Array.from({ length: 50 }, () => ({ query: ROWS })))
    for (const accept of ['application/json', 'text/event-stream'])
      expect(await raw([post(batch, accept)])).toMatch(/ 400 /)
    everyAnswer(
      await ask(`{ ${Array.from({ length: 50 }, (_, n) => `a${n}: users { id }`).join(' ')} }`),
      /QUERY_OVER_LIMIT/,
    )
  },

  async 'names of prototypes'({ ask, raw, socket }) {
    const polluting = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    await raw([post(`{"query":"{ users { id } }","variables":${polluting},"extensions":${polluting}}`)])
    const sending = await socket({ params: JSON.parse(polluting) })
    for (const id of ['__proto__', 'constructor', 'toString']) sending.subscribe(id, ROWS)
    expect((await sending.got(7)).filter((text) => text.includes('"next"'))).toHaveLength(3)
    sending.send(`{"type":"ping","payload":${polluting}}`)
    await ask('{ users { __proto__ constructor } }')
    await ask(CHANGES, { variables: JSON.parse(`{"where":${polluting}}`) as Record<string, unknown> })
    everyAnswer(await ask('{ users(take: 1) { id } }'), /"users":\[\{"id"/)
  },

  async 'policies that answer with nothing, or with no filter'({ ask, database, socket }) {
    for (const token of Object.keys(NO_POLICIES)) {
      const answers = await ask(ROWS, { token })
      everyAnswer(answers, /INTERNAL_SERVER_ERROR|POLICY_FAILED/)
      expect(Object.values(answers).join()).not.toContain('@example.com')
    }
    const reading = await Promise.all(Object.keys(NO_POLICIES).map((token) => socket({ params: { token } })))
    for (const each of reading) each.subscribe('1', CHANGES)
    await database.query(
      `UPDATE users SET sign_in_count = sign_in_count + 1 WHERE email = 'other@example.com'`,
    )
    for (const each of reading) expect((await each.got(2)).join()).not.toContain('@example.com')
  },

  async 'a context that answers with no session'({ ask, socket }) {
    for (const token of Object.keys(NO_SESSIONS)) {
      everyAnswer(await ask(ROWS, { token }), /UNAUTHENTICATED/)
      expect(await (await socket({ params: { token } })).ended).toBe(4403)
    }
    everyAnswer(await ask(ROWS, { token: 'throw' }), /INTERNAL_SERVER_ERROR|1013|errors/)
  },

  async 'a context that hangs'({ ask, socket }) {
    const hanging = Array.from({ length: 15 }, () => socket({ params: { token: 'hang' } }))
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(ROWS, { token: 'hang' })))
    for (const each of answers) everyAnswer(each, /CONTEXT_TIMEOUT|4408/)
    for (const each of await Promise.all(hanging)) expect(await each.ended).toBe(4408)
    await moment(PATIENCE_MS / 10)
  },
}
