/** Patterns and the order of text, against slower words for the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileLike } from '../../../src/bus/filter/like-pattern.ts'
import { compareCodePoints, lowerCase } from '../../../src/bus/filter/text-order.ts'
import { countTextWork } from '../../support/count-text-work.ts'

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

function matcher(pattern: string): (value: string) => boolean | null {
  const compiled = compileLike(pattern)
  if (typeof compiled === 'string') throw new Error(compiled)
  return compiled.test
}

/** LIKE by one row of a table of prefixes after the other: slow, and plainly right for long texts too. */
function isLikeByTable(value: readonly string[], pattern: readonly string[]): boolean {
  let row = [true, ...value.map(() => false)]
  for (const unit of pattern) {
    const next = [unit === '%' && row[0] === true]
    for (const [index, character] of value.entries()) {
      const isOne = row[index] === true && (unit === '_' || unit === character)
      next.push(unit === '%' ? row[index + 1] === true || next[index] === true : isOne)
    }
    row = next
  }
  return row.at(-1) === true
}

describe('LIKE', () => {
  it('is what its definition says', () => {
    fc.assert(
      fc.property(text, text, (value, pattern) => {
        fc.pre(compileLike(pattern) !== 'ends-escaped')
        expect(matcher(pattern)(value)).toBe(isLike([...value], [...pattern]))
      }),
      { numRuns: 5_000 },
    )
  })

  it('is the same for runs of any length', () => {
    const piece = fc.constantFrom('a', 'b', '_', '🦀', 'é')
    const run = fc.oneof(
      fc.array(piece, { maxLength: 90 }),
      fc.tuple(piece, piece, fc.integer({ min: 1, max: 70 })).map(([a, b, n]) => [...Array(n).fill(a), b]),
    )
    const pattern = fc
      .array(run, { minLength: 1, maxLength: 4 })
      .map((runs) => runs.map((r) => r.join('')).join('%'))
    const value = fc.oneof(
      fc.array(fc.constantFrom('a', 'b', '🦀'), { maxLength: 200 }),
      fc.tuple(fc.nat(150), fc.nat(3)).map(([n, m]) => [...Array(n).fill('a'), ...Array(m).fill('b')]),
    )
    fc.assert(
      fc.property(value, pattern, (characters, like) => {
        expect(matcher(like)(characters.join(''))).toBe(isLikeByTable(characters, [...like]))
      }),
      { numRuns: 3_000 },
    )
    // And for what is there for certain.
    fc.assert(
      fc.property(run, value, value, (units, before, after) => {
        const found = units.map((unit) => (unit === '_' ? 'x' : unit))
        expect(matcher(`%${units.join('')}%`)([...before, ...found, ...after].join(''))).toBe(true)
      }),
    )
  })

  it('has no pattern that ends with the escape character', () => {
    expect(compileLike('a\\')).toBe('ends-escaped')
    expect(matcher('a\\\\')('a\\')).toBe(true)
  })

  it('has patterns of bounded length, in bounded pieces where they are looked for', () => {
    expect(compileLike('a'.repeat(1_001))).toBe('too-long')
    expect(compileLike(`%${'_'.repeat(251)}%`)).toBe('run-too-long')
    expect(matcher(`${'a'.repeat(400)}%${'a'.repeat(400)}`)('a'.repeat(800))).toBe(true)
    expect(matcher(`%${'_'.repeat(250)}%`)('a'.repeat(249))).toBe(false)
  })

  it('looks at each character of a text a bounded number of times, whatever the pattern', () => {
    const long = 'a'.repeat(20_000)
    const patterns = [
      ...[
        `${'%a'.repeat(400)}%b`,
        `%${'_'.repeat(249)}b%`,
        `%${'_a'.repeat(120)}b%`,
        `%${'a'.repeat(249)}b%`,
      ],
      ...[
        `%b${'a'.repeat(249)}%`,
        `${'_%'.repeat(400)}b`,
        `%${'a'.repeat(120)}_${'a'.repeat(120)}b%`,
        '%_b%a_b%',
      ],
      ...[
        `%${'a'.repeat(125)}b${'a'.repeat(124)}%`,
        `%${'_'.repeat(900)}`,
        `${'_'.repeat(900)}%`,
        '%%%%%_%%%%b',
      ],
    ]
    for (const pattern of patterns) {
      const isMatch = matcher(pattern)
      expect(isMatch(`${long}c`), pattern).toBe(
        pattern === `%${'_'.repeat(900)}` || pattern === `${'_'.repeat(900)}%`,
      )
      const work = countTextWork(() => isMatch(`${long}c`))
      expect(work / long.length, pattern).toBeLessThan(5)
    }
  })

  it('is open where a text is too long for a pattern', () => {
    const isMatch = matcher(`%${'_'.repeat(249)}b%`)
    expect(isMatch('a'.repeat(2_000_001))).toBeNull()
    expect(isMatch('a'.repeat(1_000_000))).toBe(false)
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
