import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endOfRecords, formatLsn, parseLsn, toLsn } from '../../src/wire/lsn.ts'

describe('lsn', () => {
  it.each([
    ['0/0', 0n],
    ['0/1', 1n],
    ['16/B374D848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
    ['1/0', 2n ** 32n],
  ])('%s is %d, both ways', (text, value) => {
    expect(parseLsn(text)).toBe(value)
    expect(formatLsn(toLsn(value))).toBe(text)
  })

  it('formats and parses any 64-bit value', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(parseLsn(formatLsn(toLsn(value)))).toBe(value)
      }),
    )
  })

  it.each(['', '0', '0/', '/0', 'x/1', '1/123456789', ' 1/1'])('refuses %j', (text) => {
    expect(() => parseLsn(text)).toThrow(/is not an LSN/)
  })

  it.each([
    ['1/2018', '1/2000'],
    ['1/2000', '1/2000'],
    ['1/2020', '1/2020'],
    ['1/1FF8', '1/1FF8'],
  ])('records before an insert position of %s end at %s', (insert, end) => {
    expect(formatLsn(endOfRecords(parseLsn(insert)))).toBe(end)
  })
})
