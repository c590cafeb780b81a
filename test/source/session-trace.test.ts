/** Which errors within a transaction are a row's fault. */
import { expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { StreamTrace } from '../../src/source/session/session-trace.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { encodeMessage } from '../support/message-builder.ts'

const endedBy = (sqlstate: string) =>
  new RowcastError('SOURCE_SQL_FAILED', 'So it is.', { details: { sqlstate } })

it('a type that cannot be sent is one; a publication that is gone is none, though a transaction has begun', () => {
  const trace = new StreamTrace()
  expect(trace.explain(endedBy('42883'))).toBeNull()
  const begin = Buffer.from(
    encodeMessage({ kind: 'begin', finalLsn: toLsn(80n), committedAtMicros: 0n, xid: 7 }),
  )
  trace.accept(begin, 0, begin.length)
  expect(trace.explain(endedBy('42883'))).toMatchObject({ code: 'SOURCE_ROW_UNREADABLE' })
  expect(trace.explain(endedBy('22021'))).toMatchObject({ code: 'SOURCE_ROW_UNREADABLE' })
  expect(trace.explain(endedBy('42704'))).toBeNull()
  expect(trace.explain(endedBy('57P01'))).toBeNull()
})

const SERVER = { systemId: '7', timeline: 1 }

/** The messages of an empty transaction. */
function transactionAt(lsn: bigint): readonly Buffer[] {
  const [commitLsn, endLsn] = [toLsn(lsn), toLsn(lsn + 8n)]
  return [
    encodeMessage({ kind: 'begin', finalLsn: commitLsn, committedAtMicros: 0n, xid: 7 }),
    encodeMessage({ kind: 'commit', commitLsn, endLsn, committedAtMicros: 0n }),
  ].map((bytes) => Buffer.from(bytes))
}

/** What a stream does with each message; `take` may throw. */
function receive(trace: StreamTrace, messages: readonly Buffer[], take: () => void = () => {}): void {
  for (const bytes of messages) {
    trace.accept(bytes, 0, bytes.length)
    if (bytes[0] === 0x43) take()
    trace.taken(bytes, 0)
  }
}

it('a transaction that cannot be handed on, which is done with its commit, is named, and counts for nothing', () => {
  const trace = new StreamTrace().next(SERVER)
  const poison = () =>
    receive(trace, transactionAt(80n), () => {
      throw new Error('poison')
    })
  expect(poison).toThrow('poison')
  expect(trace.hasDelivered).toBe(false)
  const fault = new RowcastError('SOURCE_DELIVERY_FAILED', 'So it is.', { details: { id: 'x' } })
  expect(trace.explain(fault)?.details).toMatchObject({ commitLsn: '0/50', skipTo: '0/51' })
})

it('what comes once more, as after a gap from what the slot has, is no progress', () => {
  const first = new StreamTrace().next(SERVER)
  receive(first, transactionAt(80n))
  expect(first.hasDelivered).toBe(true)
  const second = first.next(SERVER)
  receive(second, transactionAt(80n))
  expect(second.hasDelivered).toBe(false)
  receive(second, transactionAt(96n))
  expect(second.hasDelivered).toBe(true)
  const promoted = second.next({ ...SERVER, timeline: 2 })
  receive(promoted, transactionAt(80n))
  expect(promoted.hasDelivered).toBe(true)
})
