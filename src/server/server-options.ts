/** Stage 8, server. The rows of the options of `createServer`, and their check: who calls it may write no TypeScript. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type GraphQLSchema, isSchema } from 'graphql'
import type { Logger } from '../logger.ts'
import { memberOf } from '../member-of.ts'
import {
  checkOptions,
  is,
  isCount,
  isFlag,
  isFunction,
  maybe,
  type OptionRows,
  option,
  reportUnknownNames,
  throwFault,
} from '../option.ts'
import type { SessionRows } from '../sets/session-rows.ts'
import type { OnDocumentRefused } from './execution/persisted-documents.ts'
import type { MetricsPage } from './health/metrics-endpoint.ts'
import type { HealthReport } from './health.ts'
import type { ServerSecurity } from './limits/server-security.ts'
import { SECURITY } from './security-options.ts'

/** What the server needs, and its bounds. */
export interface ServerOptions extends ServerSecurity {
  readonly schema: GraphQLSchema
  /** Whose sessions are rows: `rowcast.followSessions({ model, of })`. @default nobody's */
  readonly sessions?: SessionRows | undefined
  readonly logger: Logger
  /** Whether changes flow: the answer of /health/ready. */
  readonly health: () => HealthReport
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string | undefined
  /** TCP port; 0 takes a free one. @default 4000 */
  readonly port?: number | undefined
  /** Whether a browser at /graphql gets GraphiQL. @default false */
  readonly graphiql?: boolean | undefined
  /** What GraphiQL shows in its first tab. */
  readonly graphiqlQuery?: string | undefined
  /** The live page's own schema, with which a browser at / gets the page. @default no page */
  readonly activitySchema?: GraphQLSchema | undefined
  /** What `/metrics` serves, and to whom. @default nothing */
  readonly metrics?: MetricsPage | undefined
  /**
   * Answers requests whose path is none of rowcast's: your HTTP application (Express, Fastify's and Nest's handlers, Better Auth's), so that
   * all is on one port. The body is unread; `allowedHosts` and bounds of connections hold for it, too. @default 404
   */
  readonly otherRequests?: ((request: IncomingMessage, response: ServerResponse) => unknown) | undefined
  /** Notified of each delivery that is handed to a client. */
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
  /** Notified of each document that `persistedDocuments` refuses. */
  readonly onDocumentRefused?: OnDocumentRefused | undefined
}

/** What handlers for a server of one's own need; bounds, sessions and documents are those of `createServer`. */
export interface HandlersOptions
  extends ServerSecurity,
    Pick<ServerOptions, 'schema' | 'sessions' | 'logger' | 'onDelivered' | 'onDocumentRefused'> {
  /** Where `attach()` takes WebSockets. @default '/graphql' */
  readonly path?: string | undefined
}

/** Of another copy of graphql it throws. */
function isOwnSchema(value: unknown): boolean {
  try {
    return isSchema(value)
  } catch {
    return false
  }
}

const hasFunctions = (value: unknown, names: readonly string[]): boolean =>
  names.every((name) => typeof memberOf(value, name) === 'function')

const isText = is<string>((value) => typeof value === 'string', 'is not a text')
const SCHEMA = is<ServerOptions['schema']>(isOwnSchema, 'is no GraphQLSchema of this copy of graphql')

const SERVER = {
  schema: option({ check: SCHEMA, byDefault: '–', meaning: 'what is served' }),
  sessions: option({
    check: maybe(
      is<NonNullable<ServerOptions['sessions']>>(
        (value) => hasFunctions(value, ['find', 'watch']),
        'is not what rowcast.followSessions() answered',
      ),
    ),
    byDefault: "nobody's",
    meaning: 'whose sessions are rows',
  }),
  logger: option({
    check: is<ServerOptions['logger']>(
      (value) => hasFunctions(value, ['debug', 'info', 'warn', 'error']),
      'is no logger with the functions debug, info, warn and error',
    ),
    byDefault: '–',
    meaning: 'where lines of the log go',
  }),
  health: option({
    check: isFunction<ServerOptions['health']>(),
    byDefault: '–',
    meaning: 'the answer of /health/ready',
  }),
  host: option({ check: maybe(isText), byDefault: '`127.0.0.1`', meaning: 'the address to listen on' }),
  port: option({ check: maybe(isCount(0, 65_535)), byDefault: '4000', meaning: 'TCP; 0 takes a free one' }),
  graphiql: option({ check: maybe(isFlag), byDefault: '`false`', meaning: 'whether browsers get GraphiQL' }),
  graphiqlQuery: option({ check: maybe(isText), byDefault: '–', meaning: 'in its first tab' }),
  activitySchema: option({ check: maybe(SCHEMA), byDefault: '–', meaning: "the live page's" }),
  metrics: option({
    check: maybe(
      is<NonNullable<ServerOptions['metrics']>>(
        (value) =>
          hasFunctions(value, ['text']) &&
          (memberOf(value, 'authorize') === null || hasFunctions(value, ['authorize'])),
        'is not of the form { text, contentType, authorize }',
      ),
    ),
    byDefault: '–',
    meaning: 'what /metrics serves, and to whom: `authorize: null` is everybody',
  }),
  otherRequests: option({
    check: maybe(isFunction<NonNullable<ServerOptions['otherRequests']>>()),
    byDefault: '404',
    meaning: "answers requests that are none of rowcast's",
  }),
  onDelivered: option({
    check: maybe(isFunction<NonNullable<ServerOptions['onDelivered']>>()),
    byDefault: '–',
    meaning: 'notified of each delivery',
  }),
  onDocumentRefused: option({
    check: maybe(isFunction<NonNullable<ServerOptions['onDocumentRefused']>>()),
    byDefault: '–',
    meaning: 'notified of each document that is refused',
  }),
} satisfies OptionRows<Omit<ServerOptions, keyof ServerSecurity>>

const ROWS = { ...SERVER, ...SECURITY }

const { schema, sessions, logger, onDelivered, onDocumentRefused } = SERVER
const isPath = is<string>(
  (value) => typeof value === 'string' && /^\/[^?#]*$/.test(value),
  'is no path, such as /graphql',
)
const HANDLERS = {
  ...{ schema, sessions, logger, onDelivered, onDocumentRefused },
  path: option({
    check: maybe(isPath),
    byDefault: '`/graphql`',
    meaning: 'where `attach()` takes WebSockets',
  }),
  ...SECURITY,
} satisfies OptionRows<HandlersOptions>

/** The same options, lists where one element was given. @throws CONFIG_BAD_FIELD for the first that cannot be used */
export function checkedHandlersOptions(options: HandlersOptions): HandlersOptions {
  reportUnknownNames(options, Object.keys(HANDLERS), '`createHandlers`', throwFault)
  checkOptions(HANDLERS, (name) => Reflect.get(options, name), throwFault)
  return { ...options, ...listsOf(options) }
}

/** The same options, lists where one element was given. @throws CONFIG_BAD_FIELD for the first that cannot be used */
export function checkedServerOptions(options: ServerOptions): ServerOptions {
  reportUnknownNames(options, Object.keys(ROWS), '`createServer`', throwFault)
  checkOptions(ROWS, (name) => Reflect.get(options, name), throwFault)
  return { ...options, ...listsOf(options) }
}

function listsOf({ allowedOrigins = [], allowedHosts, trustedProxyCount = 0 }: ServerSecurity) {
  return {
    allowedOrigins: [allowedOrigins].flat(),
    allowedHosts: allowedHosts && [allowedHosts].flat(),
    trustedProxyCount: Number(trustedProxyCount),
  }
}
