/** Attacks by how much is asked for, and by connections that are not used as they are meant to be. */
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { type Arena, moment } from './arena.ts'
import type { Attack } from './input-attacks.ts'

const REPLAY = 'subscription ($after: Cursor) { postChanged(after: $after) { cursor new { id title body } } }'
const KEY = 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='

function upgrade(more: readonly string[] = [], path = '/graphql'): string {
  const headers = [
    'host: localhost',
    'upgrade: websocket',
    'connection: upgrade',
    'sec-websocket-version: 13',
    KEY,
  ]
  return `${[`GET ${path} HTTP/1.1`, ...headers, ...more].join('\r\n')}\r\n\r\n`
}

/** Cursors that nobody was given: of another database, of the future, and texts that are none. */
function forge(cursor: string): readonly string[] {
  const at = (lsn: bigint) => `${cursor.slice(0, 26)}${lsn.toString(16).padStart(16, '0')}${'0'.repeat(8)}`
  const lsn = BigInt(`0x${cursor.slice(26, 42)}`)
  const near = Array.from({ length: 40 }, (_, n) => at(lsn + BigInt(n * 64)))
  const other = [
    at(0n),
    at(lsn * 2n),
    at(0xffff_ffff_ffff_ffffn),
    `00${'f'.repeat(48)}`,
    cursor.replace(/\d/g, '9'),
  ]
  return [
    ...near,
    ...other,
    cursor.slice(1),
    `${cursor}00`,
    cursor.toUpperCase(),
    '',
    ' ',
    '\0',
    "' OR 1=1 --",
    '0x1',
  ]
}

/** Clients that ask for much and take nothing. */
function openUnread({ server }: Arena, request: string, count: number): readonly Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    socket.pause()
    socket.write(request)
    return socket
  })
}

export const LOAD_ATTACKS: Readonly<Record<string, Attack>> = {
  async 'filters that cost much'({ socket, database }) {
    const filters = [
      { email: { contains: '_'.repeat(300), mode: 'INSENSITIVE' } },
      { OR: Array.from({ length: 250 }, (_, n) => ({ email: { contains: `a${n}`, mode: 'INSENSITIVE' } })) },
      { tags: { hasEvery: Array.from({ length: 1_000 }, (_, n) => `t${n}`) } },
      { settings: { path: ['a'], stringContains: 'a'.repeat(1_000) } },
      { NOT: Array.from({ length: 200 }, () => ({ email: { endsWith: 'x'.repeat(100) } })) },
    ]
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    const query = 'subscription ($where: UserWhere) { userChanged(where: $where) { new { id } } }'
    for (const each of sockets)
      for (let n = 0; n < 60; n += 1) each.subscribe(String(n), query, { where: filters[n % filters.length] })
    const tags = `ARRAY(SELECT 't' || n FROM generate_series(1, 999) n)`
    for (let n = 0; n < 5; n += 1)
      await database.query(
        `UPDATE users SET tags = ${tags}, sign_in_count = ${n} WHERE email = 'other@example.com'`,
      )
    // One viewer has a bound for all of its sockets.
    const answers = () => sockets.flatMap(({ received }) => received).join()
    await expect.poll(answers, { timeout: 20_000 }).toContain('FILTER_TOO_COSTLY')
  },

  async 'replays with old and forged cursors'({ socket, ask, cursor }) {
    const sockets = await Promise.all(Array.from({ length: 4 }, () => socket()))
    const cursors = [cursor, ...forge(cursor)]
    for (const each of sockets)
      for (let n = 0; n < 90; n += 1)
        each.subscribe(String(n), REPLAY, { after: cursors[n % cursors.length] })
    for (const after of forge(cursor).slice(-10)) await ask(REPLAY, { variables: { after } })
    await Promise.all(sockets.map(({ got }) => got(200)))
  },

  async 'readers that do not read, on every transport'(arena) {
    const { socket, database } = arena
    const body = JSON.stringify({ query: 'subscription { postChanged { new { id body } } }' })
    const streaming = `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const query = encodeURIComponent('{ posts(take: 200) { id title body } }')
    const asking = `GET /graphql?query=${query} HTTP/1.1\r\nhost: localhost\r\nx-graphql-yoga-csrf: 1\r\n\r\n`
    const unread = [...openUnread(arena, streaming, 10), ...openUnread(arena, asking.repeat(20), 10)]
    const sockets = await Promise.all(Array.from({ length: 10 }, () => socket()))
    for (const each of sockets) {
      each.socket.pause()
      for (let n = 0; n < 20; n += 1)
        each.subscribe(String(n), 'subscription { postChanged { new { id body } } }')
      for (let n = 20; n < 60; n += 1) each.subscribe(String(n), '{ posts(take: 200) { id title body } }')
    }
    for (let n = 0; n < 20; n += 1)
      await database.query(`UPDATE "Post" SET body = repeat('${n % 10}', 100000)`)
    for (const each of unread) each.destroy()
    for (const each of sockets) each.socket.terminate()
  },

  async 'refused upgrades whose clients go on sending'({ raw }) {
    const refused = [
      upgrade([], '/elsewhere'),
      upgrade(['origin: https://evil.example']),
      upgrade().replace(KEY, 'sec-websocket-key: x'),
      upgrade().replace('version: 13', 'version: 7'),
      upgrade().replace('GET', 'POST'),
    ]
    const knocks = Array.from({ length: 100 }, (_, n) =>
      raw([refused[n % refused.length] ?? '', 'x', 'y'], { isTrailing: true }),
    )
    for (const said of await Promise.all(knocks)) expect(said).toMatch(/^HTTP\/1.1 4\d\d /)
  },

  async 'one address in many spellings'({ socket }) {
    const spellings = {
      v4: [
        '203.0.113.9',
        '::ffff:203.0.113.9',
        '203.0.113.9:4711',
        '[::ffff:cb00:7109]:80',
        '::FFFF:CB00:7109',
      ],
      v6: [
        '2001:db8::1',
        '2001:DB8:0:0::2',
        '[2001:db8::3]:80',
        '2001:0db8:0000:0000:ffff::4%eth0',
        '2001:db8::ffff:5',
      ],
    }
    for (const addresses of Object.values(spellings)) {
      const opened = await Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          // What stands left of the proxy's own word is the client's.
          socket({ headers: { 'x-forwarded-for': `10.0.0.${n}, ${addresses[n % addresses.length]}` } }),
        ),
      )
      const refused = opened.filter(({ socket: { readyState } }) => readyState !== 1)
      expect(refused).toHaveLength(10)
      for (const each of refused) expect(await each.ended).toBe(429)
      for (const each of opened) each.socket.terminate()
    }
  },

  async 'floods of pings and pongs'({ socket }) {
    const sockets = await Promise.all(Array.from({ length: 5 }, () => socket()))
    for (const { socket: each } of sockets) {
      each.pause()
      for (let n = 0; n < 3_000; n += 1) {
        each.pong('x'.repeat(100))
        each.ping('x'.repeat(100))
      }
    }
    await moment(200)
    for (const { socket: each } of sockets) each.terminate()
  },

  async 'floods of subscribe and complete, and ids twice'({ socket }) {
    const [flooding, twice, many] = [await socket(), await socket(), await socket()]
    for (let n = 0; n < 500; n += 1) {
      flooding.subscribe('1', 'subscription { postChanged { new { id } } }')
      flooding.send({ id: '1', type: 'complete' })
    }
    for (let n = 0; n < 2; n += 1) twice.subscribe('1', 'subscription { postChanged { new { id } } }')
    expect(await twice.ended).toBe(4409)
    for (let n = 0; n < 101; n += 1) many.subscribe(String(n), 'subscription { postChanged { new { id } } }')
    expect((await many.got(2)).join()).toContain('TOO_MANY_SUBSCRIPTIONS')
  },

  async 'requests that trickle in, and sockets that say nothing'({ raw, socket }) {
    const trickling = Array.from({ length: 20 }, () =>
      raw(['POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\n{'], { idleMs: 1_000 }),
    )
    const silent = await Promise.all(Array.from({ length: 10 }, () => socket({ isInitialized: false })))
    for (const { ended } of silent) expect(await ended).toBe(4408)
    await Promise.all(trickling)
  },
}
