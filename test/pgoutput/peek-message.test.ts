/** What the first bytes of a message say is what decoding it says. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { commitEndOf, isBegin, isCommit, isRelation, rowRelationOf } from '../../src/pgoutput/peek-message.ts'
import { anyMessage } from '../support/message-arbitraries.ts'
import { encodeMessage, isStreamedSpec } from '../support/message-builder.ts'

it('says of each message what it is and what it is about, wherever it lies', () => {
  fc.assert(
    fc.property(
      anyMessage.filter((spec) => !isStreamedSpec(spec)),
      fc.nat(9),
      (spec, start) => {
        const sent = encodeMessage(spec)
        const bytes = new Uint8Array(start + sent.length)
        bytes.set(sent, start)
        const message = decodeMessage(bytes, start, bytes.length)
        const { kind } = message
        expect(isBegin(bytes, start)).toBe(kind === 'begin')
        expect(isCommit(bytes, start)).toBe(kind === 'commit')
        expect(isRelation(bytes, start)).toBe(kind === 'relation')
        const isRow = kind === 'insert' || kind === 'update' || kind === 'delete'
        expect(rowRelationOf(bytes, start)).toBe(isRow ? message.relationOid : null)
        const end = kind === 'commit' ? message.endLsn : null
        expect(commitEndOf(bytes, start, bytes.length)).toBe(end)
        expect(commitEndOf(bytes, start, start + 17)).toBeNull()
      },
    ),
  )
})
