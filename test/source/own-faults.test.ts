/** Faults of our own in the middle of a stream: what they are called, and what is known afterwards of who got what. */
import { expect, test } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import type { LogFields } from '../../src/logger.ts'
import { judgeContinuity } from '../../src/source/published/continuity.ts'
import { createOwnFaults } from '../../src/source/session/own-faults.ts'
import { isStillBefore, StreamTrace } from '../../src/source/session/session-trace.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PostgresError } from '../../src/wire/server-message.ts'
import { encodeMessage } from '../support/message-builder.ts'

function createWorld() {
  const logged: LogFields[] = []
  let tornCount = 0
  const logger = { error: (_text: string, fields: LogFields = {}) => void logged.push(fields) }
  const faults = createOwnFaults(logger, () => {
    tornCount += 1
  })
  return { faults, logged, torn: () => tornCount }
}

test('a fault gets a code and the id of the log, and never its own text', () => {
  const { faults, logged } = createWorld()
  const named = faults.name(new TypeError('password=hunter2')) as RowcastError
  expect(named.code).toBe('SOURCE_DELIVERY_FAILED')
  expect(logged).toMatchObject([{ errorId: named.details['id'], error: 'TypeError' }])
  expect(JSON.stringify([logged, named.message])).not.toContain('hunter2')
})

test.each([
  ['of the network', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
  ['of the server', new PostgresError({ code: '57P01', severity: 'FATAL', message: 'going down' })],
  ['with a name', new RowcastError('WIRE_CONNECTION_LOST', 'silence')],
])('an error %s stays what it is', (_, error) => {
  const { faults, logged } = createWorld()
  expect([faults.name(error), logged]).toEqual([error, []])
})

test('what failed while it was handed on is torn, and the next stream begins with a gap from what the slot has', () => {
  const { faults, torn } = createWorld()
  expect(() =>
    faults.handOn(() => {
      throw new Error('half-way')
    }),
  ).toThrow('half-way')
  faults.handOn(() => undefined)
  expect(torn()).toBe(1)
  const lsn = (value: bigint) => toLsn(value)
  const past = { systemId: '1', timeline: 1, safeLsn: lsn(50n), deliveredLsn: lsn(60n) }
  const present = {
    systemId: '1',
    timeline: 1,
    flushedLsn: lsn(90n),
    slotConfirmedLsn: lsn(10n),
    history: [],
  }
  expect(judgeContinuity(past, present).kind).toBe('continuous')
  expect(judgeContinuity({ ...past, isTorn: true }, present)).toEqual({
    ...{ kind: 'gap', floorLsn: 10n, reason: 'delivery-failed' },
  })
})

test('it names the transaction, and the stream is not well before it is past it', () => {
  const trace = new StreamTrace()
  const begin = Buffer.from(
    encodeMessage({ kind: 'begin', finalLsn: toLsn(0x1000n), committedAtMicros: 0n, xid: 7 }),
  )
  trace.accept(begin, 0, begin.length)
  const fault = new RowcastError('SOURCE_DELIVERY_FAILED', 'A change could not be read.', {
    details: { id: 'x' },
  })
  const explained = trace.explain(fault)
  expect(explained?.details).toMatchObject({ id: 'x', commitLsn: '0/1000', skipTo: '0/1001' })
  expect(explained?.message).toContain('`rowcast skip --to 0/1001 --yes`')
  expect([isStillBefore(explained, toLsn(0x1000n)), isStillBefore(explained, toLsn(0x1001n))]).toEqual([
    true,
    false,
  ])
})
