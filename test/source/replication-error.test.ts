import { describe, expect, it } from 'vitest'
import { toStreamError } from '../../src/source/session/replication-error.ts'
import { PostgresError } from '../../src/wire/server-message.ts'

const connection = { host: 'db', port: 5432, database: 'shop', user: 'app' }
const goal = { slot: 'my_slot', publication: 'my_publication' }
const failure = (code: string) =>
  new PostgresError({ code, severity: 'ERROR', message: 'as the server words it' })

describe('an error of the stream', () => {
  it.each([
    ['42704', 'starting', 'SOURCE_SLOT_MISSING', 'my_slot'],
    ['42704', 'streaming', 'SOURCE_PUBLICATION_MISSING', 'my_publication'],
    ['55006', 'starting', 'SOURCE_SLOT_IN_USE', 'my_slot'],
    ['55000', 'starting', 'SOURCE_SLOT_INVALIDATED', 'my_slot'],
    ['55000', 'preparing', 'SOURCE_SQL_FAILED', 'db:5432'],
    ['57P01', 'streaming', 'SOURCE_SERVER_STOPPED', 'db:5432'],
    ['28P01', 'starting', 'SOURCE_AUTHENTICATION_FAILED', 'db:5432'],
  ] as const)('%s while %s is %s and names what it is about', (sqlstate, phase, code, name) => {
    const error = toStreamError(failure(sqlstate), phase, connection, goal)
    expect(error).toMatchObject({ code, details: { sqlstate } })
    expect(error.message).toContain(name)
  })
})
