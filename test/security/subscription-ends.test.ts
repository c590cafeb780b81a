/**
 * Every error of the table that can end a subscription, on each transport: the end has what the table says, and a client that goes
 * on with it misses nothing.
 */
import { describe, expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { serverStopping } from '../../src/bus/server-stopping.ts'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { ERRORS, type ErrorCode, type ErrorEntry, RowcastError } from '../../src/errors.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { createFakeFeed, type FakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { type ServerFixture, startServer } from '../server/server-fixture.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream } from './transports.ts'

const ALL = `subscription ($after: Cursor, $where: UserWhere) {
  userChanged(after: $after, where: $where) { cursor new { email settings } } }`
const PAYLOAD_MAX = 10_000

interface World extends ServerFixture {
  readonly feed: FakeFeed
  /** What stands before the change that all begin with. */
  readonly before: string
  /** Whether sessions are good. */
  readonly session: { isGood: boolean }
}

interface Cause {
  /** Ends the subscription, which has had the change of transaction 10. */
  readonly end: (world: World) => unknown
  /** Nothing comes after it from this server. */
  readonly isOver?: boolean
  readonly where?: object
  readonly context?: ContextFunction
}

const poison = (settings: unknown): Cause => ({
  end: ({ feed }) => feed.commitAt(20, { action: 'INSERT', new: { email: 'poison', settings } }),
})

/** By the codes whose row in the table says `ends`. */
const CAUSES: Readonly<Record<string, Cause>> = {
  SERVER_STOPPING: { isOver: true, end: ({ feed }) => feed.stop(serverStopping) },
  // What the bus says of one who leaves too much waiting: bus/slow-and-late.
  SUBSCRIBER_TOO_SLOW: {
    isOver: true,
    end: ({ feed, before }) =>
      feed.close(new RowcastError('SUBSCRIBER_TOO_SLOW', 'Too slow.', { details: { cursor: before } })),
  },
  RESYNC_REQUIRED: {
    isOver: true,
    end: ({ feed }) => feed.close(new RowcastError('RESYNC_REQUIRED', 'A gap.')),
  },
  MODEL_UNAVAILABLE: {
    end: ({ feed }) => feed.hold(new Map([['User', new RowcastError('SOURCE_ROW_UNREADABLE', 'Unread.')]])),
  },
  PAYLOAD_TOO_LARGE: poison('x'.repeat(2 * PAYLOAD_MAX)),
  CHANGE_UNDELIVERABLE: poison({ value: 1n }),
  FILTER_UNANSWERABLE: {
    ...poison(new UnrepresentableValue('too-deep', '[]')),
    where: { OR: [{ settings: { path: ['a'], equals: 1 } }, { email: { equals: 'first' } }] },
  },
  SESSION_REVOKED: {
    end: ({ server, session }) => {
      session.isGood = false
      return server.revalidateSessions()
    },
  },
  SESSION_EXPIRED: {
    end: () => undefined,
    context: () => ({ context: {}, expiresAt: new Date(Date.now() + 2_000) }),
  },
}

/** Of subscriptions that begin with the rows there are, and of lists: graphql/first-rows.pg, graphql/plugin/first-rows, sets/kept-lists and client/long-lists.pg show them. */
const OF_ROWS: readonly string[] = [
  ...['FIRST_ROWS_REFUSED', 'FIRST_ROWS_REJECTED', 'FIRST_ROWS_FAILED'],
  ...['LIST_TOO_COSTLY', 'LIST_TOO_LARGE'],
]

/** Standing by is a state of the process: server/standing-by.pg causes it, on each transport. */
const OF_PROCESSES: readonly string[] = ['SERVER_STANDING_BY']

/** No stream has it as an error but a multipart response: clients come back from what is closed. server/create-handlers and server/event-source show it. */
const OF_CONNECTIONS: readonly string[] = ['SERVER_STOPPING']

const ENDING = Object.entries<ErrorEntry>(ERRORS).flatMap(([code, { ends }]) =>
  ends === undefined || OF_ROWS.includes(code) || OF_PROCESSES.includes(code)
    ? []
    : ([[code as ErrorCode, ends]] as const),
)

async function openWorld({ context }: Cause): Promise<World> {
  const feed = createFakeFeed(catalog, ['User'])
  feed.open()
  feed.commitAt(5, { action: 'INSERT', new: { email: 'earlier', settings: {} } })
  const prisma = createRecordingPrisma()
  const schema = buildServiceSchema({ catalog, prisma, feed, models: { User: {} } })
  const session = { isGood: true }
  const server = await startServer({
    schema,
    limits: { payloadBytesMax: PAYLOAD_MAX, revalidateIntervalMs: 60_000 },
    context: context ?? (() => ({ context: {}, revalidate: () => session.isGood })),
  })
  return { ...server, feed, session, before: formatCursor(PLAIN_ORIGIN, toLsn(5n), 0) }
}

interface End {
  readonly lastCursor: string | null
  readonly code: string
  readonly extensions: Readonly<Record<string, unknown>>
}

/** Reads to the end. */
async function endOf(stream: Stream): Promise<End> {
  let lastCursor: string | null = null
  for (;;) {
    const { data, errors, closed }: Answer = await stream.next()
    const [error] = errors
    if (error !== undefined || closed !== undefined) {
      const extensions = error?.extensions ?? {}
      return { lastCursor, extensions, code: String(extensions['code'] ?? closed?.reason) }
    }
    lastCursor = (data as { userChanged: { cursor: string } }).userChanged.cursor
  }
}

test('each error that the table says to end subscriptions is caused here, and is one that clients see', () => {
  expect(Object.keys(CAUSES).sort()).toEqual(ENDING.map(([code]) => code).sort())
  for (const [code] of ENDING) expect(ERRORS[code].isPublic, code).toBe(true)
})

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    const causes = ENDING.filter(([code]) => transport.kind === 'multipart' || !OF_CONNECTIONS.includes(code))
    test.each(causes)('%s leaves the way on that the table names: %s', async (code, ends) => {
      const cause = CAUSES[code] as Cause
      const world = await openWorld(cause)
      const { feed, url, before } = world
      const variables = { after: before, where: cause.where ?? null }
      const stream = await transport.open(url, ALL, { variables })
      await vi.waitUntil(() => feed.requests.length === 1)
      feed.commitAt(10, { action: 'INSERT', new: { email: 'first', settings: {} } })
      const ended = endOf(stream)
      await cause.end(world)
      const end = await ended
      expect(end.code).toBe(code)
      const { cursor } = end.extensions
      if (ends === 'cursor') expect(cursor).toEqual(expect.any(String))
      if (ends === 'last') expect(end.lastCursor ?? before).toEqual(expect.any(String))
      if (cause.isOver === true) return
      world.session.isGood = true
      feed.hold(new Map())
      feed.commitAt(30, { action: 'INSERT', new: { email: 'first', settings: {} } })
      const resumed = await transport.open(url, ALL, {
        variables: { ...variables, after: cursor ?? end.lastCursor ?? before },
      })
      const next = await resumed.next()
      expect(next).toMatchObject({ errors: [], data: { userChanged: { new: { email: 'first' } } } })
      await resumed.leave()
    })
  },
)
