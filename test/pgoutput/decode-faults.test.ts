/** Stage 2, pgoutput: cut, wrong and random bytes end in one of three errors, and in nothing else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { type DecodeContext, decodeMessage } from '../../src/pgoutput/decode.ts'
import { MESSAGE_TAGS } from '../../src/pgoutput/message-tags.ts'
import type { Message, ProtocolVersion } from '../../src/pgoutput/messages.ts'
import { type Tuple, tupleColumns } from '../../src/pgoutput/tuple.ts'
import { anyMessage } from '../support/message-arbitraries.ts'
import { encodeMessage, fromHex, isStreamedSpec } from '../support/message-builder.ts'
import { HAND_VECTORS } from './message-vectors.ts'

const NEWEST: DecodeContext = { protocolVersion: 4, isStreamed: false }

/** The error of decoding `bytes`, which has to be there and to be ours. */
function decodeFault(bytes: Uint8Array, context: DecodeContext = NEWEST): RowcastError {
  try {
    decodeMessage(bytes, 0, bytes.length, context)
  } catch (error) {
    if (error instanceof RowcastError) return error
    throw error
  }
  throw new Error(`${bytes.length} bytes were decoded that should not be`)
}

/** Decodes, and if that works holds every tuple to its promise: columns within the window, and up to its end. */
function decodeOrFault(bytes: Uint8Array, context: DecodeContext): Message | RowcastError {
  let message: Message
  try {
    message = decodeMessage(bytes, 0, bytes.length, context)
  } catch (error) {
    if (error instanceof RowcastError && error.code.startsWith('PGOUTPUT_')) return error
    throw error
  }
  if (message.kind === 'insert' || message.kind === 'update' || message.kind === 'delete') {
    for (const tuple of [message.old, message.new]) if (tuple !== null) expectSound(tuple, bytes.length)
  }
  return message
}

function expectSound(tuple: Tuple, end: number): void {
  expect(tuple.start).toBeLessThanOrEqual(tuple.end)
  expect(tuple.end).toBeLessThanOrEqual(end)
  let at = tuple.start
  for (const column of tupleColumns(tuple)) {
    at += typeof column === 'object' && column !== null ? 5 + column.bytes.length : 1
  }
  expect(at).toBe(tuple.end)
}

/**
 * The one message whose end only its length shows: a parallel Stream Abort cut after its subxid is, byte for
 * byte, an abort of a stream that is not parallel. PostgreSQL's own subscriber knows by the option it asked for.
 */
function isWholeAnyway(title: string, length: number): boolean {
  return title.startsWith('stream abort') && title.includes('parallel') && length === 9
}

describe('a cut message', () => {
  it.each(HAND_VECTORS)(
    'is PGOUTPUT_TRUNCATED at every length: $title',
    ({ title, hex, expected, ...context }) => {
      const bytes = fromHex(hex)
      for (let length = 0; length < bytes.length; length++) {
        if (isWholeAnyway(title, length)) continue
        const fault = decodeFault(bytes.subarray(0, length), context)
        expect(fault.code, `cut to ${length} bytes`).toBe('PGOUTPUT_TRUNCATED')
        expect(fault.details).toMatchObject({
          message: length === 0 ? 'unknown' : expected.kind,
          length,
        })
        expect(fault.details['offset']).toBeLessThanOrEqual(length)
      }
    },
  )

  it('is no different when other bytes follow it in the buffer', () => {
    fc.assert(
      fc.property(anyMessage, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (spec, cut) => {
        const bytes = encodeMessage(spec)
        const length = Math.floor(bytes.length * cut)
        fc.pre(!(spec.kind === 'stream-abort' && length === 9))
        const context: DecodeContext = { protocolVersion: 4, isStreamed: isStreamedSpec(spec) }
        expect(() => decodeMessage(bytes, 0, length, context)).toThrow('[PGOUTPUT_TRUNCATED]')
      }),
    )
  })

  it('without abort LSN and time is an abort of a stream that is not parallel', () => {
    const bytes = fromHex('41 | 00000300 | 00000301 | 0000000000000a00 | 0002e3a1b2c3d4e5')
    expect(decodeMessage(bytes, 0, 9)).toEqual({
      kind: 'stream-abort',
      xid: 768,
      subxid: 769,
      abortLsn: null,
      abortedAtMicros: null,
    })
  })
})

describe('an unknown message', () => {
  it.each(MESSAGE_TAGS)(
    '$kind is one before protocol version $sinceVersion',
    ({ tag, kind, sinceVersion }) => {
      for (const protocolVersion of [1, 2, 3, 4] as const satisfies readonly ProtocolVersion[]) {
        const outcome = decodeOrFault(Uint8Array.of(tag.charCodeAt(0)), {
          protocolVersion,
          isStreamed: false,
        })
        const isUnknown = outcome instanceof RowcastError && outcome.code === 'PGOUTPUT_UNKNOWN_MESSAGE'
        expect(isUnknown, `${kind} in version ${protocolVersion}`).toBe(protocolVersion < sinceVersion)
      }
    },
  )

  it('is any byte that is no tag', () => {
    const tags = new Set(MESSAGE_TAGS.map((row) => row.tag.charCodeAt(0)))
    for (let byte = 0; byte < 256; byte++) {
      if (tags.has(byte)) continue
      const fault = decodeFault(Uint8Array.of(byte, 0, 0, 0))
      expect(fault.code).toBe('PGOUTPUT_UNKNOWN_MESSAGE')
      expect(fault.details).toMatchObject({ message: 'unknown', offset: 0, length: 4, protocolVersion: 4 })
    }
    expect(decodeFault(fromHex('7a')).details).toMatchObject({ tag: '0x7a' })
  })
})

describe('a malformed message', () => {
  it.each([
    ['an unknown kind of column', '49 00004001 4e 0001 | 78', 8],
    ['a negative length of a value', '49 00004001 4e 0001 74 | ffffffff', 9],
    ['more columns than a table can have', '49 00004001 4e | 0641', 6],
    ['an insert with an old row', '49 00004001 | 4f 0000', 5],
    ['an update whose second tuple is old too', '55 00004001 4f 0000 | 4b 0000', 8],
    ['a delete with a new row', '44 00004001 | 4e 0000', 5],
    ['a relation of too many columns', '52 00004001 7300 7400 64 | ffff', 10],
    ['an unknown replica identity', '52 00004001 7300 7400 | 78 0000', 9],
    ['a negative number of relations', '54 | ffffffff 00', 1],
    ['a negative length of content', '4d 00 0000000000000000 00 | 80000000', 11],
    ['flags in a commit', `43 | 01 ${'00'.repeat(24)}`, 1],
    ['flags in a stream commit', `63 00000001 | 01 ${'00'.repeat(24)}`, 5],
    ['flags in a prepare', `50 | 80 ${'00'.repeat(29)}`, 1],
    ['flags in a commit prepared', `4b | 01 ${'00'.repeat(29)}`, 1],
    ['flags in a rollback prepared', `72 | 01 ${'00'.repeat(37)}`, 1],
    ['a stream that is neither the first nor another', '53 00000300 | 02', 5],
  ])('has %s', (_, hex, offset) => {
    const fault = decodeFault(fromHex(hex))
    expect(fault.code).toBe('PGOUTPUT_MALFORMED')
    expect(fault.details).toMatchObject({ offset, length: fromHex(hex).length })
  })

  it.each(HAND_VECTORS)('has a byte too many: $title', ({ title, hex, expected, ...context }) => {
    const bytes = fromHex(`${hex}00`)
    // A short abort of version 4 with more behind it reads as a parallel one that is cut.
    const code =
      expected.kind === 'stream-abort' && expected.abortLsn === null && context.protocolVersion === 4
        ? 'PGOUTPUT_TRUNCATED'
        : 'PGOUTPUT_MALFORMED'
    expect(decodeFault(bytes, context).code, title).toBe(code)
  })

  it('has abort LSN and time before version 4', () => {
    const bytes = fromHex('41 | 00000300 | 00000301 | 0000000000000a00 | 0002e3a1b2c3d4e5')
    expect(decodeFault(bytes, { protocolVersion: 2, isStreamed: false }).code).toBe('PGOUTPUT_MALFORMED')
  })
})

describe('a count that promises too much', () => {
  it.each([
    ['relations', '54 7fffffff 00 00004001'],
    ['bytes of content', '4d 00 0000000000000000 00 7fffffff 61'],
    ['bytes of a value', '49 00004001 4e 0001 74 7fffffff 61'],
    ['columns of a row', '49 00004001 4e 0640 6e'],
    ['columns of a relation', '52 00004001 7300 7400 64 0640 00'],
  ])('of %s is a cut message, and nothing is set aside for it', (_, hex) => {
    expect(decodeFault(fromHex(hex)).code).toBe('PGOUTPUT_TRUNCATED')
  })
})

describe('any bytes', () => {
  const context: fc.Arbitrary<DecodeContext> = fc.record({
    protocolVersion: fc.constantFrom(1, 2, 3, 4),
    isStreamed: fc.boolean(),
  })

  it('are a message or one of the three errors: garbage', () => {
    const tag = fc.oneof(
      fc.constantFrom(...MESSAGE_TAGS.map((row) => row.tag.charCodeAt(0))),
      fc.integer({ min: 0, max: 255 }),
    )
    fc.assert(
      fc.property(tag, fc.uint8Array({ maxLength: 80 }), context, (first, rest, given) => {
        decodeOrFault(Uint8Array.of(first, ...rest), given)
      }),
      { numRuns: 5_000 },
    )
  })

  it('are a message or one of the three errors: a vector with one byte changed', () => {
    const meaningful = [0x00, 0xff, ...Buffer.from('nutbNKO')]
    const outcomes = { message: 0, fault: 0 }
    for (const { hex, protocolVersion, isStreamed } of HAND_VECTORS) {
      const bytes = fromHex(hex)
      for (let at = 0; at < bytes.length; at++) {
        const original = bytes[at] ?? 0
        const flipped = Array.from({ length: 8 }, (_, bit) => original ^ (1 << bit))
        for (const byte of [...meaningful, ...flipped]) {
          bytes[at] = byte
          const outcome = decodeOrFault(bytes, { protocolVersion, isStreamed })
          outcomes[outcome instanceof RowcastError ? 'fault' : 'message'] += 1
        }
        bytes[at] = original
      }
    }
    // Both happen, so neither branch of the check is idle.
    expect(outcomes.message).toBeGreaterThan(0)
    expect(outcomes.fault).toBeGreaterThan(0)
  })

  it('are a message or one of the three errors: a random message with one byte changed', () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.nat(),
        fc.nat({ max: 255 }),
        fc.boolean(),
        (spec, place, byte, isStreamed) => {
          const bytes = encodeMessage(spec)
          bytes[place % bytes.length] = byte
          decodeOrFault(bytes, { protocolVersion: 4, isStreamed })
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('errors', () => {
  it('count offsets from the start of the message, not of the buffer', () => {
    const bytes = fromHex('ffffff | 49 00004001 4e 0001 78')
    expect(() => decodeMessage(bytes, 3, bytes.length)).toThrow('offset 8')
  })

  it('never quote a value', () => {
    const secret = Buffer.from('hunter2').toString('hex')
    const bytes = fromHex(`49 00004001 4e 0002 74 00000007 ${secret} 78`)
    expect(decodeFault(bytes).message).not.toContain('hunter2')
    expect(decodeFault(bytes.subarray(0, 17)).message).not.toContain('hunt')
  })

  it.each([
    [-1, 3],
    [0, 5],
  ])('call a window %i–%i outside the buffer a bug of ours', (start, end) => {
    expect(() => decodeMessage(new Uint8Array(4), start, end)).toThrow('[BUG]')
  })
})
