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
const LIST =
  'subscription ($where: PostWhere, $take: Int, $every: Int) { postList(where: $where, orderBy: [{ createdAt: DESC }, { title: ASC }], take: $take, every: $every) { totalCount ... on PostListSnapshot { rows { id body } } ... on PostListPatch { operations { kind index row { id body } } } } }'
const TOTALS =
  'subscription ($where: PostWhere, $every: Int) { postTotals(where: $where, every: $every) { count sum { viewCount } min { title createdAt } max { title createdAt } } }'
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

  async 'lists and totals, as many and as long as may be, that nobody reads or whose clients leave'(arena) {
    const { ask, socket, database } = arena
    const refusals: readonly (readonly [string, object, RegExp])[] = [
      [LIST, { take: 1_001 }, /BAD_FILTER/],
      [LIST, { take: -1 }, /BAD_FILTER/],
      [LIST, { every: -1 }, /BAD_FILTER/],
      [TOTALS, { every: 2 ** 31 - 1 }, /BAD_FILTER/],
      [TOTALS, { where: {} }, /BAD_FILTER/],
      [
        LIST,
        { where: { id: { in: Array.from({ length: 20_000 }, (_, n) => n) } } },
        /BAD_FILTER|TOO_COSTLY|TOO_LARGE|OVER_LIMIT|no body/,
      ],
    ]
    for (const [query, variables, pattern] of refusals) {
      const { 'HTTP GET': _get, 'HTTP POST': _post, ...streams } = await ask(query, { variables } as never)
      everyAnswer(streams, pattern)
    }
    const unread = openStreams(
      arena,
      'subscription { postList(take: 1000) { totalCount ... on PostListSnapshot { rows { id body } } ... on PostListPatch { operations { row { id body } } } } }',
      10,
    )
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const [at, each] of sockets.entries()) {
      if (at < 3) each.socket.pause()
      for (let n = 0; n < 90; n += 1) {
        const where = { id: { gt: 90 * at + n } }
        each.subscribe(String(n), n % 2 === 0 ? LIST : TOTALS, {
          where,
          take: n % 2 === 0 ? 1_000 : undefined,
        })
        if (at === 4) each.send({ id: String(n), type: 'complete' })
      }
    }
    for (let n = 0; n < 5; n += 1)
      await database.query(`UPDATE "Post" SET body = repeat('${n}', 20000), "viewCount" = ${n}`)
    // Each has its lists up to the budget of its socket, and beyond it an error that says so.
    const [, , , reading] = sockets
    while (reading?.received.some((text) => text.includes('FILTER_TOO_COSTLY')) === false)
      await reading.got(reading.received.length + 1)
    for (const each of sockets) each.socket.terminate()
    for (const each of unread) each.destroy()
  },

  async 'policies that answer slowly, while what they depend on is written'({ socket, database }) {
    const sockets = await Promise.all(
      Array.from({ length: 5 }, (_, n) => socket({ params: { token: `slow ${n}` } })),
    )
    for (const [at, each] of sockets.entries()) {
      if (at < 2) each.socket.pause()
      for (let n = 0; n < 60; n += 1)
        each.subscribe(String(n), 'subscription { teamChanged { action new { id } } }')
    }
    for (let n = 0; n < 30; n += 1)
      await database.query(
        `INSERT INTO "Tag" (name) SELECT 'slow ' || i FROM generate_series(0, 4) i ON CONFLICT (name) DO UPDATE SET color = '#00000${n % 10}'`,
      )
    // Each ends, or gets a row that is written once it is live: nobody waits for ever.
    const [, , ...reading] = sockets
    const isDone = ({ received }: (typeof reading)[number]) => {
      const ids = received.map((text) => /"id":"(\d+)","type":"(?:next|error|complete)"/.exec(text)?.[1])
      return new Set(ids.filter((id) => id !== undefined)).size === 60
    }
    for (let n = 0; !reading.every(isDone); n += 1) {
      await database.query(`INSERT INTO "Team" (name, slug) VALUES ('a', 'a${n}')`)
      await moment(100)
    }
    for (const each of sockets) each.socket.terminate()
  },

  async 'metadata of any size and shape, of who may write'({ database }) {
    const texts = [
      `repeat('x', 4000000)`,
      `'{"actor":"' || repeat('x', 9000) || '"}'`,
      `repeat('{"a":', 4000) || '1' || repeat('}', 4000)`,
      `'{"__proto__":{"actor":"x"},"constructor":{"prototype":1}}'`,
      `'[' || repeat('1,', 4000) || '1]'`,
      `'null'`,
    ]
    for (const text of texts)
      for (const prefix of ['rowcast.metadata', 'rowcast', ''])
        await database.query(
          `BEGIN; SELECT pg_logical_emit_message(true, '${prefix}', ${text}); UPDATE "Post" SET title = title WHERE id = 1; COMMIT; SELECT pg_logical_emit_message(false, '${prefix}', ${text})`,
        )
    await database.query(
      `BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '\\xff00fe'::bytea); UPDATE "Post" SET title = title WHERE id = 1; COMMIT`,
    )
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
