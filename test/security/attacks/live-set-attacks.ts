/** Attacks by what a subscription reads: first rows, filters that follow relations, whole transactions, documents by name. */
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { type Arena, moment } from './arena.ts'
import type { Attack } from './input-attacks.ts'

const FIRST =
  'subscription ($where: PostWhere) { postChanged(initial: true, where: $where) { action new { id body } } }'
const LIVE = 'subscription ($where: PostWhere) { postChanged(where: $where) { cursor new { id } } }'
const TRANSACTIONS =
  'subscription ($of: ChangesOf!, $after: Cursor) { changes(of: $of, after: $after) { cursor isLast changes { __typename } } }'
const everyAnswer = (answers: Readonly<Record<string, string>>, pattern: RegExp): void => {
  for (const [transport, answer] of Object.entries(answers))
    expect(`${transport}: ${answer}`).toMatch(pattern)
}
/** Streams of both formats that nobody reads. */
function openStreams({ server }: Arena, query: string, count: number): readonly Socket[] {
  const body = JSON.stringify({ query })
  return Array.from({ length: count }, (_, n) => {
    const accept = n % 2 === 0 ? 'text/event-stream' : 'multipart/mixed;subscriptionSpec="1.0"'
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => undefined).pause()
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    return socket
  })
}
/** So many hops to related rows, each asked in another way. */
function hops(count: number, leaf: object): object {
  if (count === 0) return leaf
  const inner = hops(count - 1, leaf)
  return count % 2 === 1
    ? { author: { is: inner } }
    : { posts: { [count % 4 === 0 ? 'every' : 'some']: inner } }
}

export const LIVE_SET_ATTACKS: Readonly<Record<string, Attack>> = {
  async 'first rows by the hundred, of clients that leave or do not read'(arena) {
    const { socket } = arena
    const unread = openStreams(arena, 'subscription { postChanged(initial: true) { new { id body } } }', 10)
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const [at, each] of sockets.entries()) {
      if (at < 3) each.socket.pause()
      for (let n = 0; n < 90; n += 1) {
        // Some share a read, others ask for one of their own.
        each.subscribe(String(n), FIRST, { where: n % 2 === 0 ? {} : { id: { gt: n } } })
        if (at === 4) each.send({ id: String(n), type: 'complete' })
      }
    }
    await moment(1_000)
    for (const each of sockets) each.socket.terminate()
    for (const each of unread) each.destroy()
  },

  async 'filters over relations: too many hops, too many conditions, a set of keys for each'({
    ask,
    socket,
    database,
  }) {
    const tooFar = { variables: { where: hops(9, { email: { equals: 'x' } }) } }
    const { 'HTTP GET': _get, 'HTTP POST': _post, ...streams } = await ask(LIVE, tooFar)
    everyAnswer(streams, /BAD_FILTER|FILTER_TOO_COSTLY/)
    const many = Array.from({ length: 300 }, (_, n) => ({
      author: { is: { email: { contains: `a_${n}` } } },
    }))
    const {
      'HTTP GET': _none,
      'HTTP POST': _no,
      ...broad
    } = await ask(LIVE, { variables: { where: { OR: many } } })
    everyAnswer(broad, /FILTER_TOO_COSTLY|BAD_FILTER|no body|431/)
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const [at, each] of sockets.entries())
      for (let n = 0; n < 90; n += 1)
        each.subscribe(String(n), LIVE, { where: hops(1 + (n % 3), { email: { contains: `a${at}_${n}%` } }) })
    for (let n = 0; n < 5; n += 1)
      await database.query(`UPDATE users SET sign_in_count = ${n} WHERE email = 'other@example.com'`)
    await moment(1_000)
    for (const each of sockets) each.socket.terminate()
  },

  async 'whole transactions of everything, after old cursors, that nobody reads'(arena) {
    const { socket, ask, cursor, database } = arena
    const of = { user: {}, post: {}, comment: {} }
    const unread = openStreams(
      arena,
      `subscription { changes(of: { post: {}, user: {} }, after: "${cursor}") { cursor changes { __typename } } }`,
      10,
    )
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const each of sockets) {
      each.socket.pause()
      for (let n = 0; n < 90; n += 1)
        each.subscribe(String(n), TRANSACTIONS, { of, after: n % 2 ? cursor : null })
    }
    for (let n = 0; n < 5; n += 1) await database.query(`UPDATE "Post" SET body = repeat('${n}', 20000)`)
    const nothing = await ask(TRANSACTIONS, { variables: { of: {} } })
    everyAnswer(nothing, /"errors":\[\{|406|no body/)
    for (const each of sockets) each.socket.terminate()
    for (const each of unread) each.destroy()
  },

  async 'names of documents that there are not'({ raw, socket }) {
    const name = (n: number) => ({
      extensions: { persistedQuery: { version: 1, sha256Hash: `${n}`.repeat(64) } },
    })
    for (const accept of [
      'application/json',
      'text/event-stream',
      'multipart/mixed;subscriptionSpec="1.0"',
    ]) {
      const body = JSON.stringify(name(1))
      const said = await raw([
        `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      ])
      expect(said).toMatch(/"errors":\[\{|"code":/)
      expect(said).not.toMatch(/^HTTP\/1.1 500/)
    }
    const asking = await socket()
    for (let n = 0; n < 90; n += 1) asking.send({ id: String(n), type: 'subscribe', payload: name(n) })
    const isOver = asking.ended.then(() => true)
    await Promise.race([isOver, asking.got(2)])
  },
}
