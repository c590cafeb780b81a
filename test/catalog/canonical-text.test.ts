import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Decimal } from '../../src/catalog/prisma-runtime.ts'
import { canonicalText } from '../../src/catalog/values/canonical-text.ts'

const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 3 }),
)
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    leaf,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
  ),
})).any

function reversed(input: unknown): unknown {
  if (Array.isArray(input)) return input.map(reversed)
  if (typeof input !== 'object' || input === null || Object.getPrototypeOf(input) === Date.prototype)
    return input
  if (input instanceof Uint8Array) return Uint8Array.from(input)
  return Object.fromEntries(
    Object.entries(input)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  )
}

it('is one text for equal values, whatever the order of their members', () => {
  fc.assert(
    fc.property(value, (any) => {
      expect(canonicalText(reversed(any))).toBe(canonicalText(any))
    }),
  )
})

it('is another text for another value', () => {
  const values = [
    0,
    '0',
    0n,
    false,
    null,
    '',
    [],
    {},
    [0],
    { a: 0 },
    { a: '0' },
    new Date(0),
    new Uint8Array([0]),
  ]
  const more = [
    ['a', 'b'],
    ['a,b'],
    ['["a"', '"b"]'],
    { a: { b: 1 } },
    { 'a:{"b"': 1 },
    new Decimal(0),
    'AA==',
  ] as const
  const texts = [...values, ...more].map(canonicalText)
  expect(texts).not.toContain(null)
  expect(new Set(texts).size).toBe(texts.length)
})

it('is none for what it does not know', () => {
  class Anything {}
  for (const unknown of [
    undefined,
    () => 1,
    Symbol('x'),
    new Anything(),
    new Map(),
    { a: [new Anything()] },
  ]) {
    expect(canonicalText(unknown)).toBeNull()
  }
})
