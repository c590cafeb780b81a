/** Stage 2, pgoutput: what the decoder makes of whole messages. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { MESSAGE_TAGS } from '../../src/pgoutput/message-tags.ts'
import { MESSAGE_ARBITRARIES } from '../support/message-arbitraries.ts'
import { describeMessage, encodeMessage, fromHex, isStreamedSpec } from '../support/message-builder.ts'
import { HAND_VECTORS } from './message-vectors.ts'

/** `bytes` inside a larger buffer whose other bytes must not matter. */
function embed(bytes: Uint8Array, before: Uint8Array, after: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(before.length + bytes.length + after.length)
  buffer.set(before)
  buffer.set(bytes, before.length)
  buffer.set(after, before.length + bytes.length)
  return buffer
}

describe('vectors written from the manual', () => {
  it.each(HAND_VECTORS)('$title', ({ hex, expected, ...context }) => {
    const bytes = fromHex(hex)
    expect(describeMessage(decodeMessage(bytes, 0, bytes.length, context))).toStrictEqual(expected)
  })

  it('have every kind of message', () => {
    const kinds = new Set(HAND_VECTORS.map((vector) => vector.expected.kind))
    expect([...kinds].sort()).toEqual(MESSAGE_TAGS.map((row) => row.kind).sort())
  })
})

describe('vectors and the builder', () => {
  // Relation names that are not UTF-8 decode with U+FFFD and so cannot be encoded back.
  const encodable = HAND_VECTORS.filter((vector) => !vector.hex.includes('e9 00'))

  it.each(encodable)('agree on $title', ({ hex, expected }) => {
    expect(encodeMessage(expected)).toEqual(fromHex(hex))
  })
})

describe('decodeMessage', () => {
  it.each(Object.entries(MESSAGE_ARBITRARIES))('reads back any %s, wherever it lies', (_, arbitrary) => {
    const junk = fc.uint8Array({ maxLength: 16 })
    fc.assert(
      fc.property(arbitrary, junk, junk, (spec, before, after) => {
        const bytes = encodeMessage(spec)
        const buffer = embed(bytes, before, after)
        const message = decodeMessage(buffer, before.length, before.length + bytes.length, {
          protocolVersion: 4,
          isStreamed: isStreamedSpec(spec),
        })
        // Plain objects on both sides: fast-check's records have no prototype.
        expect(describeMessage(message)).toEqual(spec)
      }),
    )
  })

  it('assumes the newest version and no streamed block', () => {
    const bytes = encodeMessage({ kind: 'stream-start', xid: 7, isFirstSegment: true })
    expect(decodeMessage(bytes, 0, bytes.length)).toEqual({
      kind: 'stream-start',
      xid: 7,
      isFirstSegment: true,
    })
  })

  it('hands out tuples and contents as views on the bytes given', () => {
    const before = new Uint8Array(5)
    const bytes = fromHex('55 | 00004001 | 4b | 0001 | 74 00000001 31 | 4e | 0002 | 74 00000001 32 | 6e')
    const buffer = embed(bytes, before, new Uint8Array(3))
    const message = decodeMessage(buffer, 5, 5 + bytes.length)
    expect(message.kind === 'update' && message.old).toEqual({
      bytes: buffer,
      start: 5 + 8,
      end: 5 + 14,
      columnCount: 1,
    })
    expect(message.kind === 'update' && message.new).toEqual({
      bytes: buffer,
      start: 5 + 17,
      end: 5 + bytes.length,
      columnCount: 2,
    })
    expect(message.kind === 'update' && message.new.bytes).toBe(buffer)

    const logical = fromHex('4d | 00 | 0000000000000000 | 00 | 00000002 | 6162')
    const content = decodeMessage(logical, 0, logical.length)
    expect(content.kind === 'message' && content.content.buffer).toBe(logical.buffer)
  })

  it('gives insert, update and delete the same fields in the same order', () => {
    const fields = ['kind', 'streamXid', 'relationOid', 'oldKind', 'old', 'new']
    for (const { hex, expected, ...context } of HAND_VECTORS) {
      if (!['insert', 'update', 'delete'].includes(expected.kind)) continue
      const bytes = fromHex(hex)
      expect(Object.keys(decodeMessage(bytes, 0, bytes.length, context))).toEqual(fields)
    }
  })
})
