/** Stage 8, server. Every bound of the server that a client can run into, with its default. */
import type { ReadLimits } from '../../graphql/reading/paged-client.ts'

/** Bounds; each counts for every transport it can concern. */
export interface ServerLimits {
  /** Levels of nested fields. `userChanged { new { posts { title } } }` has four. @default 8 */
  readonly queryDepthMax: number
  /** Aliases in one operation. @default 15 */
  readonly queryAliasesMax: number
  /** Directives in one operation. @default 50 */
  readonly queryDirectivesMax: number
  /** The longest document, variables not counted; a longer one is not parsed. @default 32_768 // 32 KiB */
  readonly queryBytesMax: number
  /** Lexical tokens in one document, comments among them; the parser stops there. @default 1_000 */
  readonly queryTokensMax: number
  /**
   * Cost of one operation, of a subscription for each change: 2 an object and 1 a value, times 1.5 a level, for each time that
   * the answer can have it: a list is as many as its `take`. @default 200_000
   */
  readonly queryCostMax: number
  /**
   * Rows that one operation may ask for, of a subscription each result: a list is as many as its `take`, once for each
   * row that it is in, and each change of a transaction asks for its own. @default 10_000
   */
  readonly queryRowsMax: number
  /**
   * Bytes of rows that one query may read, of a subscription the relations of all rows of a result. They are weighed before
   * they are read, columns that nobody selected included. @default 16_777_216 // 16 MiB
   */
  readonly queryReadBytesMax: number
  /** Bytes of rows that all operations may read at once; more wait for room, as long as `queryTimeoutMs`. @default 50_331_648 // 48 MiB */
  readonly queriesReadBytesMax: number
  /**
   * How long all that one query reads may take, of a subscription the relations of one image of a change, the waits for their
   * turns included; PostgreSQL ends each statement then (`statement_timeout`). @default 10_000 // 10 s
   */
  readonly queryTimeoutMs: number
  /**
   * How long an operation may execute, from its first resolver to its result, resolvers of the application's own included: a query, a
   * mutation, the beginning of a subscription, and each of its results. @default 30_000 // 30 s
   */
  readonly operationTimeoutMs: number
  /** The longest request body or WebSocket message. @default 131_072 // 128 KiB */
  readonly requestBytesMax: number
  /** Frames that one WebSocket message may come in. @default 64 */
  readonly messageFragmentsMax: number
  /** The longest result that is delivered: one event of a subscription, or one answer. @default 1_048_576 // 1 MiB */
  readonly payloadBytesMax: number
  /** The longest answer to an operation that reads the schema and nothing else. @default 33_554_432 // 32 MiB */
  readonly introspectionBytesMax: number
  /** What one WebSocket may hold back before its subscriptions wait. @default 1_048_576 // 1 MiB */
  readonly socketBufferedBytesMax: number
  /**
   * What all WebSockets, event streams and answers over HTTP may hold back together. Towards it each may hold less; at it those
   * that have taken nothing for five seconds are cut; at twice as much others are, too. @default 16_777_216 // 16 MiB
   */
  readonly socketsBufferedBytesMax: number
  /**
   * What may wait in memory for all subscriptions of one connection, decoded, by estimate; what follows is read from the
   * retained log. @default 8_388_608 // 8 MiB
   */
  readonly queuedBytesPerSocketMax: number
  /** Subscriptions of one connection that may be catching up with a cursor at once. @default 100 */
  readonly replaysPerSocketMax: number
  /** Those of one viewer, where `context` says who that is (`viewerKey`). @default 500 */
  readonly replaysPerViewerMax: number
  /** Those of one client address; loopback is not counted. @default 1_000 */
  readonly replaysPerAddressMax: number
  /** Those of the server. @default 20_000 */
  readonly replaysMax: number
  /** What the filters of one connection may cost together for a row; docs/filters.md says what they cost. @default 2_000 */
  readonly filterCostPerSocketMax: number
  /** Those of one viewer, where `context` says who that is (`viewerKey`). @default 10_000 */
  readonly filterCostPerViewerMax: number
  /** Those of one client address; loopback is not counted. @default 20_000 */
  readonly filterCostPerAddressMax: number
  /** Those of the server. @default 1_000_000 */
  readonly filterCostMax: number
  /** Operations that run at once on one WebSocket. @default 100 */
  readonly subscriptionsPerSocketMax: number
  /** WebSockets and SSE streams of one client address; loopback is not counted. @default 200 */
  readonly connectionsPerAddressMax: number
  /** Leading bits of an IPv6 address that count as one client: a client has a whole network of them. @default 64 */
  readonly ipv6PrefixLength: number
  /** Calls of `context` at once, and of `revalidate`; more wait for their turn. @default 100 */
  readonly contextCallsMax: number
  /** How long a WebSocket may stay silent before `connection_init`, and how long `context` may take. @default 3_000 // 3 s */
  readonly connectionInitTimeoutMs: number
  /** How long a WebSocket may stay without any operation; looked at with each ping. @default 300_000 // 5 min */
  readonly idleTimeoutMs: number
  /** Interval of WebSocket pings; an unanswered one ends the socket at the next. @default 12_000 // 12 s */
  readonly pingIntervalMs: number
  /** How long a client may take to send a whole HTTP request. @default 30_000 // 30 s */
  readonly requestTimeoutMs: number
  /** How often open connections are asked whether their session still holds. @default 60_000 // 1 min */
  readonly revalidateIntervalMs: number
  /** How long a server that stops goes on sending what it has, before it closes connections. @default 5_000 // 5 s */
  readonly drainTimeoutMs: number
  /** How long a closing connection waits for its client before it is cut. @default 3_000 // 3 s */
  readonly closeTimeoutMs: number
}

/** What holds where nothing is said. */
export const DEFAULT_LIMITS: ServerLimits = {
  queryDepthMax: 8,
  queryAliasesMax: 15,
  queryDirectivesMax: 50,
  queryBytesMax: 32_768,
  queryTokensMax: 1_000,
  queryCostMax: 200_000,
  queryRowsMax: 10_000,
  queryReadBytesMax: 16_777_216,
  queriesReadBytesMax: 50_331_648,
  queryTimeoutMs: 10_000,
  operationTimeoutMs: 30_000,
  requestBytesMax: 131_072,
  messageFragmentsMax: 64,
  payloadBytesMax: 1_048_576,
  introspectionBytesMax: 33_554_432,
  socketBufferedBytesMax: 1_048_576,
  socketsBufferedBytesMax: 16_777_216,
  queuedBytesPerSocketMax: 8_388_608,
  replaysPerSocketMax: 100,
  replaysPerViewerMax: 500,
  replaysPerAddressMax: 1_000,
  replaysMax: 20_000,
  filterCostPerSocketMax: 2_000,
  filterCostPerViewerMax: 10_000,
  filterCostPerAddressMax: 20_000,
  filterCostMax: 1_000_000,
  subscriptionsPerSocketMax: 100,
  connectionsPerAddressMax: 200,
  ipv6PrefixLength: 64,
  contextCallsMax: 100,
  connectionInitTimeoutMs: 3_000,
  idleTimeoutMs: 300_000,
  pingIntervalMs: 12_000,
  requestTimeoutMs: 30_000,
  revalidateIntervalMs: 60_000,
  drainTimeoutMs: 5_000,
  closeTimeoutMs: 3_000,
}

/** All of them; those that are left undefined stay at their default. */
export function limitsOf(limits: Partial<ServerLimits> = {}): ServerLimits {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined)
  const all: ServerLimits = { ...DEFAULT_LIMITS, ...Object.fromEntries(given) }
  if (limits.operationTimeoutMs !== undefined) return all
  // Whoever lets reading take longer lets operations take as long.
  return { ...all, operationTimeoutMs: Math.max(all.operationTimeoutMs, all.queryTimeoutMs) }
}

/** What of them says how much is read for an operation; what is left undefined is not among them. */
export function readLimitsOf({
  queryTimeoutMs,
  queryRowsMax,
  queryReadBytesMax,
  queriesReadBytesMax,
}: Partial<ServerLimits> = {}): ReadLimits {
  return {
    ...(queryTimeoutMs === undefined ? {} : { timeoutMs: queryTimeoutMs }),
    ...(queryRowsMax === undefined ? {} : { rowsMax: queryRowsMax }),
    ...(queryReadBytesMax === undefined ? {} : { operationBytesMax: queryReadBytesMax }),
    ...(queriesReadBytesMax === undefined ? {} : { totalBytesMax: queriesReadBytesMax }),
  }
}
