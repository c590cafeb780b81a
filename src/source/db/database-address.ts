/**
 * Stage 5, source. Where PostgreSQL is and who we are there: a database address or a Prisma Client in, plain
 * connection fields out, read exactly as the driver reads them.
 */
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import pg from 'pg'
import { adapterOfPrisma } from '../../catalog/prisma-runtime.ts'
import { RowcastError } from '../../errors.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import {
  formatServers,
  type ServerAddress,
  ServerChoice,
  type WantedServer,
} from '../../wire/server-choice.ts'
import { addressParameters, readAddressSecurity } from './address-security.ts'

/** A resolved address: fields of the driver's `ClientConfig`, so that it can be spread into one. */
export interface ConnectionTarget extends Omit<DriverTarget, 'connectionString'> {
  /** Host name, address, or the folder of a Unix socket (starts with `/`). */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** A function is asked again at each connection (tokens of cloud providers). */
  readonly password: string | (() => string | Promise<string>) | undefined
  readonly ssl: boolean | TlsOptions
  /** Prisma's default schema (`?schema=`, or the adapter's option); null leaves it to the user's search_path. */
  readonly schema: string | null
  /** Command-line options for the session (`-c name=value`). */
  readonly options: string | undefined
  readonly sslnegotiation: 'postgres' | 'direct' | undefined
  /** Brings its own socket (connectors of cloud providers). */
  readonly stream?: () => Duplex | undefined
}

/**
 * Parses a database address as `pg` and Prisma write it: `postgresql://user:password@host:port/database?…`,
 * Unix sockets included. Parameters that only Prisma knows are ignored, but for `schema`.
 * @throws CONFIG_BAD_DATABASE_URL saying what is wrong; neither the address nor the password is in the message.
 */
export function parseConnectionTarget(url: string): ConnectionTarget {
  const address = url.trim()
  const fault = findFault(address)
  if (fault !== null) throw badUrl(fault.happened, fault.hint)
  const parameters = addressParameters(address)
  const schema = parameters.get('schema') || null
  const [first = address, ...others] = splitServers(address)
  const target = resolveTarget({ connectionString: first }, schema)
  if (others.length === 0) return target
  const wanted = parameters.get('target_session_attrs') || 'primary'
  if (!isWantedServer(wanted))
    throw badUrl('It asks for other servers with target_session_attrs.', WANTED_HINT)
  const servers = [target, ...others.map((each) => resolveTarget({ connectionString: each }, schema))].map(
    ({ host, port }) => ({ host, port }),
  )
  return { ...target, choice: new ServerChoice(servers, wanted) }
}

const WANTED_HINT =
  'Write target_session_attrs=primary or read-write, any (a primary where one is there, else the first that answers), or leave it out, which is primary.'

function isWantedServer(text: string): text is WantedServer {
  return text === 'any' || text === 'primary' || text === 'read-write'
}

/** `postgresql://user@a:5432,b:5432/database` as an address for each server. */
function splitServers(address: string): readonly string[] {
  const [, head = '', servers = '', rest = ''] =
    /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/is.exec(address) ?? []
  if (!servers.includes(',')) return [address]
  return servers.split(',').map((server) => {
    if (server === '') throw badUrl('One of its hosts is empty.')
    return `${head}${server}${rest}`
  })
}

/**
 * The connection of a Prisma Client that uses `@prisma/adapter-pg`, with a configuration or a pool of the
 * application's own; null for anything else. Nothing is opened and the pool is not touched.
 * @throws CONFIG_BAD_DATABASE_URL when the adapter's configuration does not name a usable address.
 */
export function connectionTargetFromPrisma(client: unknown): ConnectionTarget | null {
  const adapter = adapterOfPrisma(client)
  if (adapter?.name !== '@prisma/adapter-pg') return null
  const { config, schema } = adapter
  return typeof config === 'object' && config !== null ? resolveTarget(config, schema) : null
}

/** Driver adapters whose second argument has the schema: a `?schema=` in their address means nothing to them. */
const ADAPTERS: ReadonlySet<unknown> = new Set(['@prisma/adapter-pg', '@prisma/adapter-neon'])
/** Prisma qualifies the tables of models that name no schema with it, whatever the role's search_path. */
const PRISMA_SCHEMA = 'public'

/** The schema in which a Prisma Client looks for models that name none; null where it cannot be asked. */
export function schemaOfPrisma(client: unknown): string | null {
  const adapter = adapterOfPrisma(client)
  return adapter !== null && ADAPTERS.has(adapter.name) ? (adapter.schema ?? PRISMA_SCHEMA) : null
}

/** Where the database is said to be; the first that is there counts, in this order. */
export interface ConnectionOptions {
  /** An address, `postgresql://user:password@host:port/database`. @default process.env.DATABASE_URL, last of all */
  readonly connectionString?: string | undefined
  /** A Prisma Client that uses `@prisma/adapter-pg`; only its address and its schema are taken, never its pool. */
  readonly prisma?: unknown
}

/** Whose models are looked for. */
interface ModelSchemas {
  readonly catalog?: { readonly models: Readonly<Record<string, { readonly schema: string | null }>> }
}

/**
 * Finds the database: the address given, the Prisma Client given, or DATABASE_URL. `schema` is where models live
 * whose Prisma schema does not say: where the Prisma Client looks for them. `queryRole` is whom it queries as.
 * @throws CONFIG_NO_DATABASE, CONFIG_BAD_DATABASE_URL, CONFIG_SCHEMA_MISMATCH
 */
export function resolveConnectionTarget(
  options: ConnectionOptions & ModelSchemas,
  env: Readonly<Record<string, string | undefined>> = process.env,
): { readonly target: ConnectionTarget; readonly schema: string; readonly queryRole: string } {
  const target =
    options.connectionString === undefined
      ? (connectionTargetFromPrisma(options.prisma) ?? targetFromEnvironment(env['DATABASE_URL']))
      : parseConnectionTarget(options.connectionString)
  const ofPrisma = schemaOfPrisma(options.prisma)
  const models = Object.values(options.catalog?.models ?? {})
  const isUsed = options.catalog === undefined || models.some(({ schema }) => schema === null)
  if (isUsed && ofPrisma !== null && target.schema !== null && ofPrisma !== target.schema)
    throw schemaMismatch(target.schema, ofPrisma)
  const queryRole = ofPrisma === null ? target.user : roleOfPrisma(options.prisma, target)
  return { target, schema: target.schema ?? ofPrisma ?? PRISMA_SCHEMA, queryRole }
}

/** @throws CONFIG_BAD_DATABASE_URL where the Prisma Client is given several hosts: its driver would connect to none of them */
function roleOfPrisma(prisma: unknown, { user }: ConnectionTarget): string {
  const { connectionString } = Object(adapterOfPrisma(prisma)?.config) as pg.ClientConfig
  if (typeof connectionString === 'string' && namesSeveralHosts(connectionString)) throw severalHosts()
  try {
    return connectionTargetFromPrisma(prisma)?.user ?? user
  } catch {
    // The address that was given is good, and counts.
    return user
  }
}

function schemaMismatch(ofAddress: string, ofPrisma: string): RowcastError {
  return new RowcastError(
    'CONFIG_SCHEMA_MISMATCH',
    `The database address names schema "${ofAddress}", and the Prisma Client reads tables of schema "${ofPrisma}".`,
    {
      hint:
        `Where they are in "${ofAddress}", write new PrismaPg({ connectionString }, { schema: ${JSON.stringify(ofAddress)} }); ` +
        `where in "${ofPrisma}", take ?schema= out of the address or set it to "${ofPrisma}".`,
    },
  )
}

function targetFromEnvironment(url: string | undefined): ConnectionTarget {
  if (url !== undefined && url !== '') return parseConnectionTarget(url)
  throw new RowcastError(
    'CONFIG_NO_DATABASE',
    'There is no connection string, no Prisma Client with @prisma/adapter-pg, and DATABASE_URL is not set.',
  )
}

/** What a message may name of a connection. */
export type ConnectionName = Pick<DriverTarget, 'host' | 'port' | 'database' | 'user' | 'choice'>

/** `host:port/database as user`, all servers where there are several, for messages; never the password. */
export function describeTarget(connection: ConnectionName): string {
  const { database = '(default)', user = '(default)' } = connection
  return `${describeServers(connection)}/${database} as ${user}`
}

/** `host:port`, all of them where there are several. */
export function describeServers(target: ConnectionName): string {
  return formatServers(listServers(target))
}

/** Each server that the address names. */
export function listServers(target: ConnectionName): readonly ServerAddress[] {
  const { host = 'localhost', port = 5432, choice } = target
  return choice?.servers ?? [{ host, port }]
}

/** Lets the driver itself read the configuration, environment (PGHOST …) and defaults included; opens nothing. */
function resolveTarget(config: pg.ClientConfig, schema: string | null): ConnectionTarget {
  if (config.connectionString !== undefined && namesSeveralHosts(config.connectionString))
    throw severalHosts()
  let client: pg.Client
  try {
    // The password of a pool's options is not enumerable; a custom stream would be opened by the constructor.
    const { stream: _stream, ...rest } = config
    client = new pg.Client({ ...rest, password: config.password })
  } catch (error) {
    // Not as cause: the error of the URL parser may carry the address.
    throw badUrl(`The driver cannot read it (${error instanceof Error ? error.message : 'no reason given'}).`)
  }
  const { host, port, user, database } = client
  if (isSeveralHosts(host)) throw severalHosts()
  if (!user) throw badUrl('It names no user.')
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw badUrl('Its port is not a number from 1 to 65535.')
  const security = readAddressSecurity(config.connectionString ?? null)
  if ('fault' in security) throw badUrl(security.fault)
  const binding = security.channelBinding ?? (config.enableChannelBinding === true ? 'prefer' : undefined)
  const parameters = property(client, 'connectionParameters')
  const options = property(parameters, 'options')
  const sslnegotiation = property(parameters, 'sslnegotiation')
  return {
    host,
    port,
    user,
    database: database ?? user,
    password: toPassword(property(client, 'password')),
    ssl: toSsl(property(client, 'ssl'), security.crl),
    ...(binding === undefined ? {} : { channelBinding: binding }),
    schema,
    options: typeof options === 'string' ? options : undefined,
    sslnegotiation: sslnegotiation === 'direct' || sslnegotiation === 'postgres' ? sslnegotiation : undefined,
    ...(config.stream === undefined ? {} : { stream: config.stream }),
  }
}

function toPassword(value: unknown): ConnectionTarget['password'] {
  if (typeof value === 'string') return value
  return typeof value === 'function' ? (value as () => string | Promise<string>) : undefined
}

function toSsl(value: unknown, crl: string | null): ConnectionTarget['ssl'] {
  // By reference: the driver hides the private key from enumeration, a copy would lose it.
  if (typeof value === 'object' && value !== null)
    return crl === null ? (value as TlsOptions) : Object.assign(value as TlsOptions, { crl })
  return value && crl !== null ? { crl } : Boolean(value)
}

interface Fault {
  readonly happened: string
  readonly hint?: string | undefined
}

const ENCODE_HINT =
  'Percent-encode special characters of user and password in DATABASE_URL: # is %23, / is %2F, ? is %3F, @ is %40.'

/**
 * What the driver's own parser would let pass: it reads text without a scheme as a path, and a bare `#`, `/`
 * or `?` within the password as the end of the host, after which half the password is the database's name.
 */
function findFault(address: string): Fault | null {
  if (address === '') return { happened: 'It is empty.' }
  if (address.startsWith('/') || /^socket:/i.test(address)) return null
  if (/^prisma(\+postgres)?:\/\//i.test(address)) {
    return {
      happened: "It is an address of Prisma's proxy, which does not carry replication.",
      hint: 'Set DATABASE_URL to the direct address of the database: postgresql://USER:PASSWORD@HOST:5432/DATABASE.',
    }
  }
  const rest = /^postgres(?:ql)?:\/\/[^/?#]*(.*)$/is.exec(address)?.[1]
  if (rest === undefined) {
    return { happened: 'It does not start with postgresql:// (no quotation marks around it).' }
  }
  if (rest.includes('#')) return { happened: 'It contains a bare #.', hint: ENCODE_HINT }
  if (rest.includes('@')) return { happened: 'There is an @ after the first / or ?.', hint: ENCODE_HINT }
  return null
}

/** An address that rowcast parses itself may; the driver, and Prisma's adapter with it, takes one. */
function severalHosts(): RowcastError {
  return badUrl(
    'It names several hosts, and the driver connects to one.',
    'Give the Prisma Client an address that leads to the primary, a proxy or pooler for instance, and rowcast the several ones: `connectionString` of createRowcast, DATABASE_URL of `rowcast serve`, as postgresql://USER:PASSWORD@HOST1:5432,HOST2:5432/DATABASE.',
  )
}

/** `a:5432,b:5432`, or `?host=` more than once. */
function namesSeveralHosts(address: string): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(address)?.[1] ?? ''
  const hosts = addressParameters(address).getAll('host')
  return isSeveralHosts(authority.slice(authority.lastIndexOf('@') + 1)) || hosts.length > 1
}

/** PGHOST, `?host=` and the configuration of an adapter may name them, too. */
function isSeveralHosts(host: string): boolean {
  return host.includes(',') && !host.startsWith('/')
}

function badUrl(fault: string, hint?: string): RowcastError {
  return new RowcastError('CONFIG_BAD_DATABASE_URL', `The database address cannot be used. ${fault}`, {
    hint,
  })
}

function property(value: unknown, name: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject ? Reflect.get(value, name) : undefined
}
