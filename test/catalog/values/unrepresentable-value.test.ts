/** What PostgreSQL holds and Prisma Client cannot show: the same typed outcome from both forms. */
import { describe, expect, test } from 'vitest'
import { createArrayCodec } from '../../../src/catalog/values/array-codec.ts'
import { dateCodec, timestampCodec, timetzCodec } from '../../../src/catalog/values/date-time-codecs.ts'
import { int4Codec, safeInt8Codec } from '../../../src/catalog/values/integer-codecs.ts'
import { explainUnrepresentable } from '../../../src/catalog/values/unrepresentable-value.ts'
import type { ValueCodec } from '../../../src/catalog/values/value-codec.ts'

const DAY_MICROS = 86_400_000_000n

function int64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64BE(value)
  return buffer
}

function int32s(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => {
    buffer.writeInt32BE(value, 4 * index)
  })
  return buffer
}

function bothForms(codec: ValueCodec, text: string, bytes: Buffer): readonly unknown[] {
  return [codec.parse(text), codec.decode(bytes, 0, bytes.length)]
}

describe('dates are Invalid Dates, as with Prisma Client, and explain themselves', () => {
  test.each<readonly [string, ValueCodec, string, Buffer, string, number]>([
    [
      'infinity',
      timestampCodec,
      'infinity',
      int64(2n ** 63n - 1n),
      'infinite-date',
      Number.POSITIVE_INFINITY,
    ],
    [
      '-infinity',
      timestampCodec,
      '-infinity',
      int64(-(2n ** 63n)),
      'infinite-date',
      Number.NEGATIVE_INFINITY,
    ],
    ['infinity', dateCodec, 'infinity', int32s(0x7fffffff), 'infinite-date', Number.POSITIVE_INFINITY],
    [
      'a year of five digits',
      timestampCodec,
      '10000-01-01 00:00:00',
      int64(2_921_940n * DAY_MICROS),
      'date-out-of-range',
      Date.UTC(10_000, 0, 1),
    ],
    [
      'BC',
      dateCodec,
      '0044-03-15 BC',
      int32s(-746_117),
      'date-out-of-range',
      new Date('-000043-03-15T00:00:00Z').getTime(),
    ],
    [
      'a zone with seconds',
      timetzCodec,
      '00:00:01+02:30:15',
      Buffer.concat([int64(1_000_000n), int32s(-9015)]),
      'offset-with-seconds',
      1000,
    ],
  ])('%s', (_name, codec, text, bytes, reason, unixMs) => {
    for (const value of bothForms(codec, text, bytes)) {
      expect(value).toBeInstanceOf(Date)
      expect(Number(value)).toBeNaN()
      expect(explainUnrepresentable(value)).toMatchObject({ reason, value: unixMs })
    }
  })

  test('valid dates have nothing to explain', () => {
    const [fromText, fromBytes] = bothForms(timestampCodec, '2000-01-02 00:00:00', int64(DAY_MICROS))
    expect(fromText).toEqual(new Date('2000-01-02T00:00:00Z'))
    expect(fromBytes).toEqual(fromText)
    expect(explainUnrepresentable(fromText)).toBeNull()
    expect(explainUnrepresentable('text')).toBeNull()
  })
})

describe('arrays that are no lists', () => {
  const list = createArrayCodec(int4Codec, { isNullElementAllowed: false })

  test.each<readonly [string, string, Buffer, string, unknown]>([
    ['a NULL', '{1,NULL}', int32s(1, 1, 23, 2, 1, 4, 1, -1), 'null-element', [1, null]],
    [
      'two dimensions',
      '{{1,2,3},{4,5,NULL}}',
      int32s(2, 1, 23, 2, 1, 3, 1, 4, 1, 4, 2, 4, 3, 4, 4, 4, 5, -1),
      'multi-dimensional',
      [
        [1, 2, 3],
        [4, 5, null],
      ],
    ],
    [
      'three dimensions',
      '[0:1][1:1][1:2]={{{1,2}},{{3,4}}}',
      int32s(3, 0, 23, 2, 0, 1, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4),
      'multi-dimensional',
      [[[1, 2]], [[3, 4]]],
    ],
  ])('%s', (_name, text, bytes, reason, expected) => {
    for (const value of bothForms(list, text, bytes)) {
      expect(explainUnrepresentable(value)).toMatchObject({ reason, value: expected })
    }
  })

  test.each([
    ['a cut header', int32s(1, 0)],
    ['too many dimensions', int32s(7, 0, 23, 1, 1)],
    ['more elements than bytes', int32s(1, 0, 23, 1_000_000_000, 1, 4, 1)],
    ['an element beyond the end', int32s(1, 0, 23, 1, 1, 400, 1)],
    ['an element of the wrong length', int32s(1, 0, 23, 1, 1, 8, 1, 1)],
  ])('bytes that are no array: %s', (_name, bytes) => {
    expect(explainUnrepresentable(list.decode(bytes, 0, bytes.length))?.reason).toBe('unreadable')
  })
})

test('an int8 behind an Int field, where a number would lie', () => {
  for (const value of bothForms(safeInt8Codec, '9007199254740992', int64(2n ** 53n))) {
    expect(explainUnrepresentable(value)).toMatchObject({ reason: 'unsafe-integer', value: 2n ** 53n })
  }
  expect(bothForms(safeInt8Codec, '9007199254740991', int64(2n ** 53n - 1n))).toEqual([
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  ])
})
