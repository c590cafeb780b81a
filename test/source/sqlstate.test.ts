import pg from 'pg'
import { expect, test } from 'vitest'
import { ERRORS, RowcastError } from '../../src/errors.ts'
import { sqlstateOf, toRowcastError } from '../../src/source/db/sqlstate.ts'
import { PostgresError } from '../../src/wire/server-message.ts'

const CONNECTION = { host: 'db', port: 5432, database: 'app', user: 'ada' }

function serverError(code: string, message = 'the server said so', fields: object = {}): Error {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code, ...fields })
}

test.each([
  ['ECONNREFUSED', 'SOURCE_CONNECTION_REFUSED'],
  ['ENOENT', 'SOURCE_CONNECTION_REFUSED'],
  ['ENOTFOUND', 'SOURCE_HOST_UNKNOWN'],
  ['EAI_AGAIN', 'SOURCE_HOST_UNKNOWN'],
  ['ETIMEDOUT', 'SOURCE_HOST_UNREACHABLE'],
  ['EHOSTUNREACH', 'SOURCE_HOST_UNREACHABLE'],
  ['ECONNRESET', 'SOURCE_CONNECTION_LOST'],
  ['EPIPE', 'SOURCE_CONNECTION_LOST'],
  ['EMFILE', 'SOURCE_NO_DESCRIPTOR'],
  ['ENFILE', 'SOURCE_NO_DESCRIPTOR'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SOURCE_TLS_FAILED'],
  ['CERT_HAS_EXPIRED', 'SOURCE_TLS_FAILED'],
  ['EWHATEVER', 'SOURCE_CONNECTION_FAILED'],
  ['EPERM', 'SOURCE_CONNECTION_FAILED'],
])('%s of Node.js is %s and stays the cause', (code, expected) => {
  const cause = Object.assign(new Error('low level'), { code })
  const error = toRowcastError(cause, CONNECTION)
  expect(error).toMatchObject({ code: expected, cause, retry: ERRORS[error.code].retry })
  expect(error.message).toContain('db:5432/app as ada')
  expect(error.message).toContain(code)
  expect(sqlstateOf(error)).toBeNull()
})

test.each([
  ['28P01', 'SOURCE_AUTHENTICATION_FAILED'],
  ['28000', 'SOURCE_AUTHENTICATION_FAILED'],
  ['3D000', 'SOURCE_DATABASE_MISSING'],
  ['42501', 'SOURCE_PERMISSION_DENIED'],
  ['53300', 'SOURCE_TOO_MANY_CONNECTIONS'],
  ['57P01', 'SOURCE_SERVER_STOPPED'],
  ['57P02', 'SOURCE_SERVER_STOPPED'],
  ['57P03', 'SOURCE_SERVER_STARTING'],
  ['08006', 'SOURCE_CONNECTION_LOST'],
  ['42601', 'SOURCE_SQL_FAILED'],
  ['XX000', 'SOURCE_SQL_FAILED'],
])('SQLSTATE %s is %s', (code, expected) => {
  const error = toRowcastError(serverError(code), CONNECTION)
  expect(error).toMatchObject({ code: expected, details: { sqlstate: code } })
  expect(sqlstateOf(error)).toBe(code)
})

test.each([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', /sslrootcert/],
  ['CERT_HAS_EXPIRED', /Renew the certificate/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /host in DATABASE_URL as the certificate names it/],
])('%s has the hint that helps', (code, expected) => {
  const { hint } = toRowcastError(Object.assign(new Error('no'), { code }), CONNECTION)
  expect(hint).toMatch(expected)
})

test('the replication connection reports the same way', () => {
  const refused = new PostgresError({ code: '57P03', severity: 'FATAL', message: 'starting up' })
  expect(toRowcastError(refused, CONNECTION).code).toBe('SOURCE_SERVER_STARTING')
})

test("the server's sentence is shown where it holds names, and only then", () => {
  const named = toRowcastError(serverError('42P01', 'relation "users" does not exist'), CONNECTION)
  expect(named.message).toContain('relation "users" does not exist')
  const fields = {
    detail: 'Key (email)=(ada@x) exists.',
    table: 'users',
    constraint: 'users_email_key',
    position: '7',
  }
  const valued = toRowcastError(serverError('22P02', 'invalid input syntax: "ada@x"', fields), CONNECTION)
  expect(valued.message).toContain('table users, constraint users_email_key')
  expect(valued.details).toEqual({ sqlstate: '22P02', position: 7 })
  expect(valued.cause).toBeUndefined()
  expect(JSON.stringify([valued.message, { ...valued }])).not.toContain('ada@x')
})

test('an error without a code is the driver speaking of the session', () => {
  expect(toRowcastError(new Error('The server does not support SSL connections'), CONNECTION)).toMatchObject({
    code: 'SOURCE_CONNECTION_FAILED',
    message: expect.stringContaining('does not support SSL'),
  })
  expect(toRowcastError('odd', CONNECTION).code).toBe('SOURCE_CONNECTION_FAILED')
})

test('a RowcastError comes back unchanged', () => {
  const error = new RowcastError('BUG', 'Something.')
  expect(toRowcastError(error, CONNECTION)).toBe(error)
})
