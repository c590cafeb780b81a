/** Digits moved over from PostgreSQL's numeric are the Decimal that its text would have made. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import { createMoneyCodec, numericCodec } from '../../../src/catalog/values/decimal-codecs.ts'

/** numeric_send, written from PostgreSQL's source, for plain digits. */
function encodeNumeric(isNegative: boolean, whole: string, fraction: string): Buffer {
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const right = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  const groups = (left + right).match(/.{4}/g)?.map(Number) ?? []
  let weight = left.length / 4 - 1
  while (groups[0] === 0) {
    groups.shift()
    weight--
  }
  while (groups[groups.length - 1] === 0) groups.pop()
  const buffer = Buffer.alloc(8 + 2 * groups.length)
  buffer.writeUInt16BE(groups.length, 0)
  buffer.writeInt16BE(groups.length === 0 ? 0 : weight, 2)
  buffer.writeUInt16BE(isNegative && groups.length > 0 ? 0x4000 : 0, 4)
  buffer.writeUInt16BE(fraction.length, 6)
  groups.forEach((group, index) => {
    buffer.writeUInt16BE(group, 8 + 2 * index)
  })
  return buffer
}

const digits = (maxLength: number) =>
  fc.array(fc.constantFrom('0', '0', '1', '5', '9'), { maxLength, size: 'max' }).map((list) => list.join(''))

describe('numeric', () => {
  test('the binary form gives what the text gives, down to the inner words', () => {
    fc.assert(
      fc.property(fc.boolean(), digits(60), digits(60), (isNegative, whole, fraction) => {
        const buffer = encodeNumeric(isNegative, whole, fraction)
        const isZero = !/[1-9]/.test(whole + fraction)
        const expected = new Decimal(`${isNegative && !isZero ? '-' : ''}${whole || '0'}.${fraction || '0'}`)
        const actual = numericCodec.decode(buffer, 0, buffer.length)
        expect(actual).toStrictEqual(expected)
        expect(Object.keys(actual as object)).toEqual(Object.keys(expected))
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['NaN', 0xc000],
    ['Infinity', 0xd000],
    ['-Infinity', 0xf000],
  ])('%s', (text, sign) => {
    const buffer = Buffer.from([0, 0, 0, 0, sign >> 8, 0, 0, 0])
    expect(numericCodec.decode(buffer, 0, 8)).toStrictEqual(new Decimal(text))
    expect(numericCodec.parse(text)).toStrictEqual(new Decimal(text))
  })
})

describe('money', () => {
  test.each([
    ['$0.00', 0n, 2, '0'],
    ['-$0.05', -5n, 2, '-0.05'],
    ['$1,234,567.89', 123_456_789n, 2, '1234567.89'],
    ['-$92,233,720,368,547,758.08', -9_223_372_036_854_775_808n, 2, '-92233720368547758.08'],
    // As a session with lc_monetary = C prints what is 1,234 yen, or 1.234 dinar.
    ['$12.34', 1_234n, 0, '1234'],
    ['-$12.34', -1_234n, 3, '-1.234'],
    ['-$0.05', -5n, 3, '-0.005'],
  ])('%s of %i units with %i digits', (text, units, scale, expected) => {
    const codec = createMoneyCodec(scale)
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64BE(units)
    expect(codec.parse(text)).toStrictEqual(new Decimal(expected))
    expect(codec.decode(buffer, 0, 8)).toStrictEqual(new Decimal(expected))
  })
})
