/** Which errors within a transaction are a row's fault. */
import { expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { StreamTrace } from '../../src/source/stream-trace.ts'
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
  trace.take(begin, 0, begin.length)
  expect(trace.explain(endedBy('42883'))).toMatchObject({ code: 'SOURCE_ROW_UNREADABLE' })
  expect(trace.explain(endedBy('22021'))).toMatchObject({ code: 'SOURCE_ROW_UNREADABLE' })
  expect(trace.explain(endedBy('42704'))).toBeNull()
  expect(trace.explain(endedBy('57P01'))).toBeNull()
})
