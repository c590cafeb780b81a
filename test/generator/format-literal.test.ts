import { runInThisContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatLiteral } from '../../src/generator/format-literal.ts'

const plainData = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  ),
})).value

describe('formatLiteral', () => {
  test('JavaScript reads back what was written', () => {
    fc.assert(
      fc.property(plainData, (value) => {
        expect(runInThisContext(`(${formatLiteral(value)})`)).toEqual(value)
      }),
    )
  })

  test('a key that would set the prototype is a key', () => {
    const value: unknown = JSON.parse('{"__proto__": {"polluted": 1}}')
    const read: object = runInThisContext(`(${formatLiteral(value)})`)
    expect(Object.keys(read)).toEqual(['__proto__'])
  })

  test('nothing in a text moves a cursor or turns the direction of reading', () => {
    const text = "*/ \u202e\u2066\u2028\u009b2J\u007f ` ' -- {x}"
    const literal = formatLiteral({ [text]: text })
    expect(literal).toMatch(/^[ -~]+$/)
    expect(runInThisContext(`(${literal})`)).toEqual({ [text]: text })
  })

  test('short values stay on their line, long ones are broken', () => {
    expect(formatLiteral({ a: [1, "it's"], 'b-c': {} })).toBe(`{ a: [1, 'it\\'s'], 'b-c': {} }`)
    const long = 'x'.repeat(60)
    expect(formatLiteral({ a: [long, long], b: 1 })).toBe(
      `{\n  a: [\n    '${long}',\n    '${long}',\n  ],\n  b: 1,\n}`,
    )
  })

  test('what has no literal is refused', () => {
    expect(() => formatLiteral({ a: undefined })).toThrow('[BUG]')
    expect(() => formatLiteral(Number.NaN)).toThrow('[BUG]')
  })
})
