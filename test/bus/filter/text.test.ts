/** Patterns and the order of text, against slower words for the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileLike } from '../../../src/bus/filter/like-pattern.ts'
import { compareCodePoints, lowerCase } from '../../../src/bus/filter/text-order.ts'

const character = fc.constantFrom('a', 'b', '%', '_', '\\', '🦀', 'é', '\n', '\uffff')
const text = fc.array(character, { maxLength: 8 }).map((parts) => parts.join(''))

/** LIKE by its definition, trying everything. */
function isLike(value: readonly string[], pattern: readonly string[]): boolean {
  const [unit, ...rest] = pattern
  if (unit === undefined) return value.length === 0
  if (unit === '%') return value.some((_, at) => isLike(value.slice(at), rest)) || isLike([], rest)
  const [first, ...others] = value
  if (first === undefined) return false
  if (unit === '_') return isLike(others, rest)
  if (unit !== '\\') return unit === first && isLike(others, rest)
  return rest[0] === first && isLike(others, rest.slice(1))
}

describe('LIKE', () => {
  it('is what its definition says', () => {
    fc.assert(
      fc.property(text, text, (value, pattern) => {
        const isMatch = compileLike(pattern)
        fc.pre(isMatch !== null)
        expect(isMatch?.(value)).toBe(isLike([...value], [...pattern]))
      }),
      { numRuns: 5_000 },
    )
  })

  it('has no pattern that ends with the escape character', () => {
    expect(compileLike('a\\')).toBeNull()
    expect(compileLike('a\\\\')?.('a\\')).toBe(true)
  })

  it('costs no more than length times length, whatever the pattern', () => {
    const isMatch = compileLike(`${'%a'.repeat(2_000)}%b`)
    expect(isMatch?.('a'.repeat(20_000))).toBe(false)
  })
})

describe('the order of text', () => {
  it('is that of the UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
    expect('\uffff' < '🦀').toBe(false)
    expect(compareCodePoints('\uffff', '🦀')).toBeLessThan(0)
  })

  it('lower-cases one character for one, as PostgreSQL’s C.UTF-8 does', () => {
    expect(lowerCase('ΑΣ İ ß ǅ ẞ Ⅷ 𐐀')).toBe('ασ i ß ǆ ß ⅷ 𐐨')
    expect(lowerCase('ASCII')).toBe('ascii')
  })
})
