/** How each limit is reached that counts rows, changes or filters: on a service with a database. */
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished, vi } from 'vitest'
import type { TestDatabase } from '../../support/database.ts'
import { openRawSocket, subscribeMessage } from '../raw-socket.ts'
import type { Answer } from '../transports.ts'
import { endOf, type LimitName, NOTHING, openStream, type Reach, seenIn, sees, WAYS } from './reach.ts'

/** A service that is served. */
export interface ServedRows {
  readonly url: string
  readonly database: TestDatabase
  /** Before all rows that there are. */
  readonly cursor: string
}

export type RowReach = Reach<ServedRows>

/** Rows of each kind, and what the text of one takes. */
export const ROWS = 20
export const TEXT_BYTES = 40_000

const NO_LIMIT = 2_147_483_647
const READ_TEXT = '{ posts(take: 15) { id body } }'
const HOLDING = '{ posts(take: 5) { id body comments(take: 1) { id } } }'

const queries = {
  queryRowsMax: {
    ...{ small: { queryRowsMax: 10 }, large: { queryRowsMax: 11 } },
    ...{ over: WAYS.all, sees: sees('QUERY_OVER_LIMIT') },
    attempt: async ({ url }, { ask }) => seenIn(await ask(url, '{ posts(take: 11) { id } }')),
  },
  queryReadBytesMax: {
    small: { queryReadBytesMax: 5 * TEXT_BYTES },
    large: { queryReadBytesMax: 50 * TEXT_BYTES },
    ...{ over: WAYS.all, sees: sees('QUERY_OVER_LIMIT') },
    attempt: async ({ url }, { ask }) => seenIn(await ask(url, READ_TEXT)),
  },
  queryTimeoutMs: {
    ...{ small: { queryTimeoutMs: 300 }, large: { queryTimeoutMs: 60_000 } },
    ...{ over: WAYS.all, sees: sees('QUERY_TOO_SLOW') },
    async attempt({ url, database }, { ask }, patienceMs) {
      const unlock = await lock(database, 'Post')
      const asked = ask(url, '{ posts { id } }').then(seenIn)
      const seen = await endOf(asked, patienceMs)
      await unlock()
      await asked
      return seen
    },
  },
  queriesReadBytesMax: {
    // Room for two that hold five rows, and for fifteen beside none of them.
    small: { queriesReadBytesMax: 20 * TEXT_BYTES, queryTimeoutMs: 2_000 },
    large: { queriesReadBytesMax: 100 * TEXT_BYTES, queryTimeoutMs: 30_000 },
    ...{ over: WAYS.all, sees: sees('QUERY_TOO_SLOW') },
    async attempt({ url, database }, { ask }) {
      const [{ ask: askBeside }] = WAYS.all as [(typeof WAYS.all)[number]]
      const unlock = await lock(database, 'Comment')
      const first = askBeside(url, HOLDING)
      await untilWaiting(database, 1)
      const asked = ask(url, READ_TEXT)
      // It lasts longer than the one that waits for room: a WebSocket has to be opened before that one waits.
      await delay(500)
      const second = askBeside(url, HOLDING)
      await untilWaiting(database, 2)
      const seen = seenIn(await asked)
      await unlock()
      await Promise.all([first, second])
      return seen
    },
  },
} satisfies Partial<Record<LimitName, RowReach>>

/** Locks a table until the answer is called: who reads it waits. */
async function lock(database: TestDatabase, table: string): Promise<() => Promise<void>> {
  await database.query('BEGIN')
  await database.query(`LOCK TABLE "${table}" IN ACCESS EXCLUSIVE MODE`)
  return async () => void (await database.query('ROLLBACK'))
}

async function untilWaiting(database: TestDatabase, count: number): Promise<void> {
  const waiting = () =>
    database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE relname = 'Comment' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
  await vi.waitUntil(async () => Number((await waiting())[0]?.n) >= count, { timeout: 20_000, interval: 20 })
}

/** Catches up, with a filter or without, and gets a row. */
async function catchUp(
  { url, cursor }: ServedRows,
  transport: (typeof WAYS.streams)[number],
  where?: object,
) {
  const query =
    where === undefined
      ? 'subscription ($after: Cursor) { postChanged(after: $after) { cursor } }'
      : 'subscription ($after: Cursor, $where: PostWhere) { postChanged(after: $after, where: $where) { cursor } }'
  const variables = { after: cursor, ...(where === undefined ? {} : { where }) }
  const stream = await openStream(transport, url, query, { variables, address: ADDRESS })
  const seen = seenIn(await stream.next())
  await stream.leave()
  return seen
}

/** Beside one of the same address and viewer, which does not read what it catches up with. */
function replays(name: LimitName): RowReach {
  return {
    ...{ small: { [name]: 1 }, large: { [name]: 2 } },
    ...{ over: WAYS.streams, sees: sees('TOO_MANY_REPLAYS') },
    async attempt(served, transport) {
      const close = await openUnread(served.url, 'websocket', served.cursor)
      await untilOpen(served.url, 1)
      const seen = await catchUp(served, transport as never)
      close()
      await untilOpen(served.url, 0)
      return seen
    },
  }
}

/** Subscriptions that begin in one go. */
const AT_ONCE = 20

const replaysOfSocket: RowReach = {
  ...{ small: { replaysPerSocketMax: 1 }, large: { replaysPerSocketMax: AT_ONCE } },
  ...{ over: WAYS.webSocket, sees: sees('TOO_MANY_REPLAYS') },
  async attempt({ url, cursor }) {
    const { socket, send, received } = await openRawSocket(url)
    for (let id = 0; id < AT_ONCE; id += 1) send(subscribeMessage(String(id), UNREAD, { after: cursor }))
    const answered = () => new Set(received.flatMap(({ id }) => (id === undefined ? [] : [id])))
    await vi.waitUntil(() => answered().size === AT_ONCE, { timeout: 20_000 })
    socket.terminate()
    await untilOpen(url, 0)
    const payloads = received.map(
      ({ payload }) => payload as { readonly errors?: Answer['errors'] } | undefined,
    )
    return seenIn({ data: null, errors: payloads.flatMap((payload) => payload?.errors ?? []) })
  },
}

function filterCost(name: LimitName): RowReach {
  return {
    ...{ small: { [name]: 10 }, large: { [name]: 100 } },
    ...{ over: WAYS.streams, sees: sees('FILTER_TOO_COSTLY') },
    attempt: (served, transport) =>
      catchUp(served, transport as never, {
        OR: [{ title: { contains: 'post' } }, { body: { contains: 'none' } }],
      }),
  }
}

const subscriptions = {
  replaysPerSocketMax: replaysOfSocket,
  replaysPerViewerMax: replays('replaysPerViewerMax'),
  replaysPerAddressMax: replays('replaysPerAddressMax'),
  replaysMax: replays('replaysMax'),
  filterCostPerSocketMax: filterCost('filterCostPerSocketMax'),
  filterCostPerViewerMax: filterCost('filterCostPerViewerMax'),
  filterCostPerAddressMax: filterCost('filterCostPerAddressMax'),
  filterCostMax: filterCost('filterCostMax'),
  queuedBytesPerSocketMax: {
    small: { queuedBytesPerSocketMax: 1_000, socketBufferedBytesMax: 1_000 },
    large: { queuedBytesPerSocketMax: NO_LIMIT, socketBufferedBytesMax: 1_000 },
    ...{ over: WAYS.streams, sees: sees('waits in the log') },
    async attempt({ url, database }, transport) {
      const close = await openUnread(url, transport.kind)
      await untilOpen(url, 1)
      const updates = () => metric(url, 'changes_total', 'Post', 'UPDATE')
      const before = await updates()
      // More than the system takes of who does not read.
      await writeMuch(database)
      await vi.waitUntil(async () => (await updates()) >= before + WRITES, { timeout: 20_000 })
      const waiting = await untilSame(() => metric(url, 'queue_longest_changes', 'Post'))
      close()
      await untilOpen(url, 0)
      return waiting <= 1 ? 'waits in the log' : NOTHING
    },
  },
} satisfies Partial<Record<LimitName, RowReach>>

const UNREAD = 'subscription ($after: Cursor) { postChanged(after: $after) { new { body } } }'
/** Whom a proxy in front says that all clients here are. */
const ADDRESS = '203.0.113.1'

const WRITES = 60

/** More than the system takes of who does not read. */
export async function writeMuch(database: TestDatabase): Promise<void> {
  for (let n = 0; n < WRITES; n += 1)
    await database.query(`UPDATE "Post" SET body = repeat('x', 200000) WHERE title = 'post 1'`)
}

function untilOpen(url: string, count: number): Promise<unknown> {
  return vi.waitUntil(async () => (await metric(url, 'subscriptions', 'Post')) === count, { timeout: 20_000 })
}

/** A subscription whose client does not read. */
async function openUnread(url: string, kind: string, after?: string): Promise<() => void> {
  const query = UNREAD
  if (kind === 'websocket') {
    const { socket, send } = await openRawSocket(url, { headers: { 'x-forwarded-for': ADDRESS } })
    send(subscribeMessage('1', query, { after }))
    socket.pause()
    return () => socket.terminate()
  }
  const body = JSON.stringify({ query })
  const accept = kind === 'sse' ? 'text/event-stream' : 'multipart/mixed;subscriptionSpec="1.0"'
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined).pause()
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  return () => socket.destroy()
}

/** The sum of a metric's samples of a model, and of an action. */
async function metric(url: string, name: string, model: string, action = ''): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const labels = `[^}]*model="${model}"[^}]*${action}[^}]*`
  const samples = text.matchAll(new RegExp(`^rowcast_${name}\\{${labels}\\} (\\d+)`, 'gm'))
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0)
}

async function untilSame(look: () => Promise<number>): Promise<number> {
  let last = -1
  await vi.waitUntil(
    async () => {
      const now = await look()
      const isSame = now === last
      last = now
      return isSame
    },
    { interval: 500, timeout: 20_000 },
  )
  return last
}

/** All of them. */
export const ROW_REACHES = { ...queries, ...subscriptions }
