/** Attacks by operations: documents, variables and cursors that nobody needs, and operations that come and go. */
import { connect } from 'node:net'
import { expect } from 'vitest'
import { moment } from './arena.ts'
import type { Attack } from './input-attacks.ts'

const CHANGES = 'subscription ($after: Cursor) { postChanged(after: $after) { cursor new { id body } } }'
const LIVE = 'subscription { postChanged { cursor } }'
const everyAnswer = (answers: Readonly<Record<string, string>>, pattern: RegExp): void => {
  for (const [transport, answer] of Object.entries(answers))
    expect(`${transport}: ${answer}`).toMatch(pattern)
}
const nest = (levels: number, open: string, inner: string, close: string): string =>
  open.repeat(levels) + inner + close.repeat(levels)

export const OPERATION_ATTACKS: Readonly<Record<string, Attack>> = {
  async 'aliases times nested lists, directives and fragments'({ ask }) {
    const lists = Array.from(
      { length: 14 },
      (_, n) => `a${n}: posts(take: 200) { author { posts(take: 200) { id body } } }`,
    )
    const fragments = Array.from(
      { length: 20 },
      (_, n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`,
    )
    const documents = [
      `{ ${lists.join(' ')} }`,
      `{ users ${'@include(if: true) '.repeat(60)}{ id } }`,
      `{ users(take: 1) { id ${'@skip(if: false) '.repeat(400)}} }`,
      `{ ...L } fragment L on Query { ...L }`,
      `{ users(take: 1) { ${'id '.repeat(2_000)} } }`,
      `query (${Array.from({ length: 700 }, (_, n) => `$v${n}: Int`).join(' ')}) { users(take: 1) { id } }`,
      `{ users(take: ${nest(3_000, '[', '1', ']')}) { id } }`,
    ]
    for (const document of documents) everyAnswer(await ask(document), /"errors":\[\{|no body/)
    everyAnswer(await ask(documents[0] ?? ''), /QUERY_OVER_LIMIT/)
    // A million ways to one list are one list.
    everyAnswer(
      await ask(`{ ...F0 } ${fragments.join(' ')} fragment F20 on Query { tags { id } }`),
      /"tags":\[/,
    )
  },

  async 'variables of great depth, and of great breadth'({ ask }) {
    const deep = (levels: number): unknown => JSON.parse(nest(levels, '{"AND":[', '{}', ']}'))
    const query = 'subscription ($where: PostWhere) { postChanged(where: $where) { cursor } }'
    for (const levels of [40, 400, 1_500])
      everyAnswer(await ask(query, { variables: { where: deep(levels) } }), /"errors":\[\{|no body/)
    const broad = { OR: Array.from({ length: 3_000 }, (_, n) => ({ id: { equals: n } })) }
    everyAnswer(await ask(query, { variables: { where: broad } }), /"errors":\[\{|no body/)
  },

  async 'cursors of other models, of other epochs, and of no one'({ ask, cursor }) {
    const other = (from: number, to: number, digit: string) =>
      cursor.slice(0, from) + digit.repeat(to - from) + cursor.slice(to)
    const codes =
      /"code":"(RESYNC_REQUIRED|CURSOR_INVALID|BAD_CURSOR|GRAPHQL_VALIDATION_FAILED|BAD_USER_INPUT)"|406/
    for (const after of [
      other(2, 18, '7'),
      other(18, 26, '7'),
      other(26, 42, 'f'),
      other(0, 2, 'f'),
      `${cursor} `,
      cursor.slice(2),
      'x'.repeat(5_000),
    ]) {
      const {
        'HTTP GET': _get,
        'HTTP POST': _post,
        ...streams
      } = await ask(CHANGES, { variables: { after } })
      everyAnswer(streams, codes)
    }
    // A cursor says where, and not of what: another model goes on there, unless what follows of that one is trimmed by now.
    const user = 'subscription ($after: Cursor) { userChanged(after: $after) { cursor } }'
    const { WebSocket: said } = await ask(user, { variables: { after: cursor } })
    expect(said).toMatch(/userChanged|RESYNC_REQUIRED/)
  },

  async 'operations that come and go ten thousand times'({ socket }) {
    const churning = await socket()
    for (let n = 0; n < 10_000; n += 1) {
      churning.subscribe(String(n % 50), LIVE)
      churning.send({ id: String(n % 50), type: 'complete' })
      churning.send({ id: `never ${n}`, type: 'complete' })
      if (n % 250 !== 249) continue
      // Who floods without reading is cut: its answer to a ping stands behind the flood.
      churning.subscribe('asked', '{ changeCursor }')
      const isAnswered = () =>
        churning.received.filter((text) => text.includes('"complete"')).length > n / 250
      await expect.poll(isAnswered, { interval: 5 }).toBe(true)
    }
    const [again, empty] = [await socket(), await socket()]
    for (let n = 0; n < 100; n += 1) again.send({ type: 'connection_init' })
    expect(await again.ended).toBe(4429)
    empty.send({ id: '', type: 'subscribe', payload: { query: '{ changeCursor }' } })
    expect(await empty.ended).toBe(4400)
  },

  async 'queries whose clients leave'({ socket, ask, server }) {
    const query = '{ posts(take: 100) { id body author { id posts(take: 50) { id body } } } }'
    const body = JSON.stringify({ query })
    const request = `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    for (let n = 0; n < 200; n += 1) {
      const asking = connect({ port: server.port, host: '127.0.0.1' })
      asking.on('error', () => undefined).once('connect', () => asking.write(request))
      setTimeout(() => asking.resetAndDestroy(), 20)
    }
    const leaving = await socket()
    for (let n = 0; n < 500; n += 1) {
      leaving.subscribe(String(n), query)
      leaving.send({ id: String(n), type: 'complete' })
    }
    everyAnswer(await ask('{ posts(take: 1) { id } }'), /"posts":\[/)
  },

  async 'errors that quote what was sent'({ ask, socket }) {
    const faults = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`no${n}`, 1]))
    const variables = { where: { ...faults, title: { equals: 'x'.repeat(9_000) } } }
    const query = 'query ($where: PostWhere) { posts(where: $where) { id } }'
    const answers = await ask(query, { variables })
    everyAnswer(answers, /BAD_USER_INPUT|no body/)
    for (const answer of Object.values(answers)) expect(answer.length).toBeLessThan(100_000)
    const quoting = await socket()
    for (let n = 0; n < 50; n += 1) quoting.subscribe(String(n), query, variables)
    await quoting.got(101)
  },

  async 'event streams and sockets that come and go'({ raw, socket }) {
    const body = JSON.stringify({ query: LIVE })
    const request = `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => raw([request], { idleMs: 20 })))
      const sockets = await Promise.all(Array.from({ length: 10 }, () => socket()))
      for (const each of sockets) {
        for (let n = 0; n < 100; n += 1) each.subscribe(String(n), LIVE)
        each.socket.terminate()
      }
    }
  },

  async 'a hundred replays of a socket, and of streams, that never read'({ server, socket, cursor }) {
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const each of sockets) {
      each.socket.pause()
      for (let n = 0; n < 100; n += 1) each.subscribe(String(n), CHANGES, { after: cursor })
    }
    const body = JSON.stringify({ query: CHANGES, variables: { after: cursor } })
    const streams = Array.from({ length: 10 }, () => {
      const stream = connect({ port: server.port, host: '127.0.0.1' })
      stream.on('error', () => undefined).pause()
      stream.write(
        `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      return stream
    })
    await moment(500)
    for (const each of sockets) each.socket.terminate()
    for (const stream of streams) stream.destroy()
  },
}
