/**
 * Stage 5, source. What a failure of PostgreSQL, the network or the driver means to rowcast: one table from
 * SQLSTATE, or Node's error code, to a row of the error table. Never by message text.
 * Source: PostgreSQL manual, Appendix A "PostgreSQL Error Codes"; Node.js, "Common system errors".
 */
import { type ErrorCode, isRowcastError, RowcastError } from '../../errors.ts'
import { isProgramFault } from '../../program-fault.ts'
import { tlsFaultOf } from '../../wire/tls-faults.ts'
import { type ConnectionName, describeTarget } from './database-address.ts'

/** Error code, predicate of the sentence `PostgreSQL at … <predicate> (<code>).`, and a hint where the code's own does not help. */
type Meaning = readonly [code: ErrorCode, predicate: string, hint?: string | undefined]

const MEANINGS: Readonly<Record<string, Meaning>> = {
  // Node's codes: sockets, name resolution. Those of certificates: wire/tls-faults.ts.
  ECONNREFUSED: ['SOURCE_CONNECTION_REFUSED', 'refused the connection'],
  ENOENT: ['SOURCE_CONNECTION_REFUSED', 'has no socket file there'],
  EACCES: ['SOURCE_CONNECTION_REFUSED', 'has a socket file that this process may not open'],
  ENOTFOUND: ['SOURCE_HOST_UNKNOWN', 'has a host name that does not resolve'],
  EAI_AGAIN: ['SOURCE_HOST_UNKNOWN', 'has a host name that cannot be resolved now'],
  ETIMEDOUT: ['SOURCE_HOST_UNREACHABLE', 'did not answer in time'],
  EHOSTUNREACH: ['SOURCE_HOST_UNREACHABLE', 'cannot be reached'],
  ENETUNREACH: ['SOURCE_HOST_UNREACHABLE', 'is in a network that cannot be reached'],
  EHOSTDOWN: ['SOURCE_HOST_UNREACHABLE', 'is on a host that is down'],
  ECONNRESET: ['SOURCE_CONNECTION_LOST', 'cut the connection'],
  EPIPE: ['SOURCE_CONNECTION_LOST', 'cut the connection'],
  ECONNABORTED: ['SOURCE_CONNECTION_LOST', 'cut the connection'],
  EMFILE: ['SOURCE_NO_DESCRIPTOR', 'was not connected to, as this process has no file descriptor left'],
  ENFILE: ['SOURCE_NO_DESCRIPTOR', 'was not connected to, as this machine has no file descriptor left'],
  CRL_HAS_EXPIRED: [
    'SOURCE_TLS_FAILED',
    'cannot be checked, as the list of revoked certificates has expired',
    'Bring the file of sslcrl in DATABASE_URL up to date.',
  ],
  UNABLE_TO_GET_CRL: [
    'SOURCE_TLS_FAILED',
    'has an authority of which there is no list of revoked certificates',
    'Name the list of that authority as sslcrl in DATABASE_URL.',
  ],
  // SQLSTATEs.
  '28000': ['SOURCE_AUTHENTICATION_FAILED', 'does not let the user in'],
  '28P01': ['SOURCE_AUTHENTICATION_FAILED', 'did not accept the password'],
  '3D000': ['SOURCE_DATABASE_MISSING', 'has no such database'],
  '42501': ['SOURCE_PERMISSION_DENIED', 'denied the permission'],
  '53400': [
    'SOURCE_SQL_FAILED',
    'has reached a limit of its configuration',
    'Where it has no replication slot left: `rowcast slots` lists those that were left behind, and drops them; or raise max_replication_slots.',
  ],
  '53300': ['SOURCE_TOO_MANY_CONNECTIONS', 'has no connection left'],
  '55P03': ['SOURCE_LOCK_TIMEOUT', 'did not get a lock in time'],
  '25P03': ['SOURCE_SERVER_STOPPED', 'ended the session for a time-out within a transaction'],
  '25P04': ['SOURCE_SERVER_STOPPED', 'ended the session for a time-out of a transaction'],
  '57014': ['WIRE_ANSWER_TIMEOUT', 'ended a statement that took too long, or somebody there did'],
  '57P01': ['SOURCE_SERVER_STOPPED', 'ended the session for its administrator'],
  '57P02': ['SOURCE_SERVER_STOPPED', 'ended the session after a crash'],
  '57P03': ['SOURCE_SERVER_STARTING', 'takes no connections yet'],
  '57P05': ['SOURCE_SERVER_STOPPED', 'ended the session because it was idle'],
}

/** Whole SQLSTATE classes, where the table has no row of its own. */
const CLASS_MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': ['SOURCE_CONNECTION_LOST', 'lost the connection'],
}

/**
 * Classes whose messages carry names of objects and settings at most. Others (22, data exceptions; P0, raised
 * by functions) quote values of rows, which belong in no log.
 */
const NAME_ONLY_CLASSES: ReadonlySet<string> = new Set([
  '0A',
  '23',
  '25',
  '28',
  '2B',
  '3D',
  '3F',
  '42',
  '53',
  '54',
  '55',
  '57',
  '58',
])

/**
 * Turns what the driver or the server threw into a RowcastError; one that already is comes back unchanged.
 * Server errors carry `sqlstate` in `details`, with `position` (1-based character of the statement) when known.
 */
export function toRowcastError(error: unknown, connection: ConnectionName): RowcastError {
  if (isRowcastError(error)) return error
  const code = errorCode(error)
  const place = `PostgreSQL at ${describeTarget(connection)}`
  if (code === null) {
    if (isProgramFault(error))
      return new RowcastError('BUG', `A session with ${place} failed in rowcast itself.`, { cause: error })
    const reason = error instanceof Error ? error.message : 'no reason given'
    return new RowcastError('SOURCE_CONNECTION_FAILED', `No session with ${place}: ${reason}.`)
  }
  const [meaning, predicate, hint] =
    MEANINGS[code] ?? CLASS_MEANINGS[code.slice(0, 2)] ?? tlsMeaning(code) ?? unknownMeaning(code)
  if (!isSqlstate(code))
    return new RowcastError(meaning, `${place} ${predicate} (${code}).`, { cause: error, hint })
  // Not as cause: the server's error carries rows in its detail.
  return new RowcastError(meaning, `${place} ${predicate} (SQLSTATE ${code}${serverText(error, code)}).`, {
    hint,
    details: { sqlstate: code, ...positionOf(error) },
  })
}

/** The SQLSTATE of an error made by `toRowcastError`; null when it did not come from the server. */
export function sqlstateOf(error: unknown): string | null {
  const sqlstate = isRowcastError(error) ? error.details['sqlstate'] : undefined
  return typeof sqlstate === 'string' ? sqlstate : null
}

/** OpenSSL's codes for an alert of the other side begin so. Source: RFC 8446, 6.2 "Error Alerts". */
const TLS_ALERT = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_/

function tlsMeaning(code: string): Meaning | null {
  const fault = tlsFaultOf(code, 'DATABASE_URL')
  if (fault !== null) return ['SOURCE_TLS_FAILED', fault.happened, fault.hint]
  const isOfCertificate = code.includes('CERTIFICATE') || code.endsWith('_ALERT_UNKNOWN_CA')
  if (!TLS_ALERT.test(code) || !isOfCertificate) return null
  return [
    'SOURCE_TLS_FAILED',
    'does not accept the certificate that it is shown',
    'Give sslcert and sslkey in DATABASE_URL a certificate of an authority that the server trusts (ssl_ca_file), neither expired nor revoked (ssl_crl_file).',
  ]
}

function unknownMeaning(code: string): Meaning {
  return isSqlstate(code)
    ? ['SOURCE_SQL_FAILED', 'refused a statement']
    : ['SOURCE_CONNECTION_FAILED', 'could not be reached']
}

function isSqlstate(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E')
}

function errorCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}

/** The server's sentence where it can only hold names; otherwise the names that the error carries as fields. */
function serverText(error: unknown, sqlstate: string): string {
  if (!(error instanceof Error)) return ''
  if (NAME_ONLY_CLASSES.has(sqlstate.slice(0, 2))) return `: ${error.message}`
  const names = (['schema', 'table', 'column', 'constraint', 'dataType'] as const).flatMap((field) => {
    const name: unknown = Reflect.get(error, field)
    return typeof name === 'string' ? [`${field} ${name}`] : []
  })
  return names.length === 0 ? '' : `: ${names.join(', ')}`
}

function positionOf(error: unknown): { readonly position?: number } {
  const position =
    typeof error === 'object' && error !== null ? Number(Reflect.get(error, 'position')) : Number.NaN
  return Number.isInteger(position) && position > 0 ? { position } : {}
}

/** SQLSTATE classes of a server that is in trouble, stops or starts: it may take the message the next time. */
const PASSING_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58', 'XX'])
/** Time-outs of a transaction. */
const PASSING_STATES: ReadonlySet<string> = new Set(['25P03', '25P04'])

/** Whether a statement may be taken the next time. Null: the server has not answered. */
export function isPassing(sqlstate: string | null): boolean {
  return sqlstate === null || PASSING_CLASSES.has(sqlstate.slice(0, 2)) || PASSING_STATES.has(sqlstate)
}
