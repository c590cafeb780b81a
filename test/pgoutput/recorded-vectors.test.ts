/**
 * Stage 2, pgoutput: what each supported PostgreSQL really sent (test/vectors, recorded by `npm run record:vectors`):
 * whole, cut at every byte, and damaged. The builder, written from the manual, says the same bytes from what was decoded.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { type DecodeContext, decodeMessage } from '../../src/pgoutput/decode.ts'
import { MESSAGE_TAGS } from '../../src/pgoutput/message-tags.ts'
import type { Message } from '../../src/pgoutput/messages.ts'
import { UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { describeMessage, encodeMessage, type MessageSpec } from '../support/message-builder.ts'
import { POSTGRES_MAJORS } from '../support/postgres.ts'
import { type NamedRecording, readRecordings } from '../support/vectors/vector-file.ts'

interface Vector {
  readonly bytes: Uint8Array
  readonly expected: MessageSpec
  readonly context: DecodeContext
}

const RECORDINGS = POSTGRES_MAJORS.flatMap(readRecordings)
const NAMED = RECORDINGS.map((recording) => [`pg${recording.major}/${recording.capture}`, recording] as const)

/** The messages with what the ones before them say about them. */
function vectorsOf({ protocolVersion, messages }: NamedRecording): readonly Vector[] {
  let isStreamed = false
  return messages.map(({ hex, expected }) => {
    const vector = {
      bytes: Uint8Array.from(Buffer.from(hex, 'hex')),
      expected,
      context: { protocolVersion, isStreamed },
    }
    if (expected.kind === 'stream-start') isStreamed = true
    if (expected.kind === 'stream-stop') isStreamed = false
    return vector
  })
}

/** The message, or the error that the bytes are no message; any other error is a fault of ours. */
function decodeOrFault(bytes: Uint8Array, context: DecodeContext): Message | RowcastError {
  try {
    return decodeMessage(bytes, 0, bytes.length, context)
  } catch (error) {
    if (error instanceof RowcastError && error.code.startsWith('PGOUTPUT_')) return error
    throw error
  }
}

/** Roughly what a decoded message holds on to: its strings, numbers, list elements and views. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== 'object' || value === null) return 1
  const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  return parts.reduce<number>((sum, part) => sum + weigh(part), 1)
}

// A million errors are made here, and nobody reads where.
const stackTraceLimit = Error.stackTraceLimit
beforeAll(() => {
  Error.stackTraceLimit = 0
})
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit
})

describe('recorded messages', () => {
  it.each(NAMED)('%s: whole', (_, recording) => {
    const vectors = vectorsOf(recording)
    expect(vectors.length).toBeGreaterThan(30)
    for (const { bytes, expected, context } of vectors) {
      expect(describeMessage(decodeMessage(bytes, 0, bytes.length, context))).toStrictEqual(expected)
      expect(encodeMessage(expected)).toEqual(bytes)
    }
  })

  it.each(NAMED)('%s: cut at every byte', (_, recording) => {
    const wrong: string[] = []
    for (const { bytes, expected, context } of vectorsOf(recording)) {
      for (let length = 0; length < bytes.length; length++) {
        // Cut after its subxid, an abort of a parallel stream is one of a stream that is not: only the option shows.
        if (expected.kind === 'stream-abort' && length === 9) continue
        const outcome = decodeOrFault(bytes.subarray(0, length), context)
        const isRight = outcome instanceof RowcastError && outcome.code === 'PGOUTPUT_TRUNCATED'
        if (!isRight) wrong.push(`${expected.kind} cut to ${length} of ${bytes.length} bytes`)
      }
    }
    expect(wrong).toEqual([])
  })

  it.each(POSTGRES_MAJORS)('of PostgreSQL %i have every kind that it sends', (major) => {
    const recordings = RECORDINGS.filter((recording) => recording.major === major)
    expect(recordings.map((recording) => Number.parseInt(recording.server, 10))).toEqual(
      recordings.map(() => major),
    )
    const kinds = new Set(recordings.flatMap(({ messages }) => messages.map(({ expected }) => expected.kind)))
    const newestVersion = major >= 16 ? 4 : major >= 15 ? 3 : 2
    expect([...kinds].sort()).toEqual(
      MESSAGE_TAGS.filter((row) => row.sinceVersion <= newestVersion)
        .map((row) => row.kind)
        .sort(),
    )
    const aborts = recordings.filter(({ protocolVersion }) => protocolVersion === 4)
    expect(aborts.length > 0).toBe(major >= 16)
  })

  it.each(POSTGRES_MAJORS)('of PostgreSQL %i say of each row what those of 18 say', (major) => {
    const changes = listChanges(major)
    expect(changes.length).toBeGreaterThan(40)
    expect(changes).toEqual(listChanges(18))
    expect(changes.slice(0, 6)).toEqual(FIRST_CHANGES)
  })
})

const LONG = 'x'.repeat(2100)
/** What the workload did to its first table, by hand. */
const FIRST_CHANGES = [
  ['täble', 'insert', 'none', null, ['1', 'Zoë', LONG, 'über', 't']],
  ['täble', 'insert', 'none', null, ['2', null, '', 'fine', 'f']],
  ['täble', 'update', 'none', null, ['1', 'a', UNCHANGED, 'über', 't']],
  ['täble', 'update', 'key', ['2', null, null, null, null], ['3', null, '', 'fine', 'f']],
  ['täble', 'update', 'key', ['1', null, null, null, null], ['4', 'a', UNCHANGED, 'über', 't']],
  ['täble', 'delete', 'key', ['3', null, null, null, null], null],
]

/** Rows in text form, of the tables that every version publishes alike. */
function listChanges(major: number): readonly unknown[] {
  const recording = RECORDINGS.find((one) => one.major === major && one.capture === 'v1-text')
  const tables = new Map<number, string>()
  return (recording?.messages ?? []).flatMap(({ expected }) => {
    if (expected.kind === 'relation') tables.set(expected.oid, expected.table)
    if (!('oldKind' in expected)) return []
    const table = tables.get(expected.relationOid) ?? ''
    if (['narrow', 't', 'generated'].includes(table)) return []
    return [[table, expected.kind, expected.oldKind, toTexts(expected.old), toTexts(expected.new)]]
  })
}

function toTexts(columns: Extract<MessageSpec, { kind: 'update' }>['old']): readonly unknown[] | null {
  if (columns === null) return null
  return columns.map((column) =>
    column === null || column === UNCHANGED ? column : Buffer.from(column.bytes).toString(),
  )
}

describe('damaged messages', () => {
  // The same bytes come in several recordings; one of each is enough.
  const distinct = new Map(
    RECORDINGS.flatMap(vectorsOf).map((vector) => [
      `${Buffer.from(vector.bytes).toString('latin1')} ${vector.context.protocolVersion}`,
      vector,
    ]),
  )
  const anyVector = fc.constantFrom(...distinct.values())
  /** Where, what happens there, and to how many bytes. */
  const damage = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('overwrite', 'insert', 'remove', 'repeat'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  })

  it('are a message no heavier than its bytes, or one of the three errors', () => {
    const outcomes = { message: 0, fault: 0 }
    fc.assert(
      fc.property(anyVector, fc.array(damage, { minLength: 1, maxLength: 4 }), (vector, damages) => {
        const bytes = damages.reduce(applyDamage, vector.bytes)
        const outcome = decodeOrFault(bytes, vector.context)
        outcomes[outcome instanceof RowcastError ? 'fault' : 'message'] += 1
        const weight =
          outcome instanceof RowcastError ? weigh(outcome.details) : weigh(describeMessage(outcome))
        expect(weight).toBeLessThan(100 + 8 * bytes.length)
      }),
      { numRuns: 20_000 },
    )
    expect(Math.min(outcomes.message, outcomes.fault)).toBeGreaterThan(100)
  })

  it('are distinguished from those of another protocol version and from streamed ones without a crash', () => {
    const context = fc.record({
      protocolVersion: fc.constantFrom<DecodeContext['protocolVersion'][]>(1, 2, 3, 4),
      isStreamed: fc.boolean(),
    })
    fc.assert(
      fc.property(anyVector, context, (vector, given) => {
        decodeOrFault(vector.bytes, given)
      }),
      { numRuns: 5_000 },
    )
  })

  it('two glued together are malformed, not the first of them', () => {
    fc.assert(
      fc.property(anyVector, anyVector, (first, second) => {
        const outcome = decodeOrFault(Uint8Array.of(...first.bytes, ...second.bytes), first.context)
        expect(outcome).toBeInstanceOf(RowcastError)
      }),
      { numRuns: 2_000 },
    )
  })
})

function applyDamage(
  bytes: Uint8Array,
  damage: { readonly at: number; readonly kind: string; readonly bytes: Uint8Array },
): Uint8Array {
  const at = damage.at % (bytes.length + 1)
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  const count = damage.bytes.length
  switch (damage.kind) {
    case 'insert':
      return Uint8Array.of(...before, ...damage.bytes, ...after)
    case 'remove':
      return Uint8Array.of(...before, ...after.subarray(count))
    case 'repeat':
      return Uint8Array.of(...before, ...after.subarray(0, count), ...after)
    default:
      return Uint8Array.of(...before, ...damage.bytes, ...after.subarray(count))
  }
}
