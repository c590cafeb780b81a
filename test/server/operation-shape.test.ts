/** Which subscriptions count as the same: all that cannot get different results, and no others. */
import { parse } from 'graphql'
import { describe, expect, test } from 'vitest'
import { operationKey } from '../../src/server/execution/operation-shape.ts'

const key = (source: string, variables: Record<string, unknown> = {}, name?: string) =>
  operationKey(parse(source), name, variables)

describe('the key of an operation is the same', () => {
  test.each([
    ['whatever the layout', 'subscription { a { b c } }', 'subscription {\n  a {\n    b, c # d\n  }\n}'],
    ['whatever its name', 'subscription A { a { b } }', 'subscription B { a { b } }'],
    ['whatever changes it asks for', 'subscription { a(x: 1) { b } }', 'subscription { a(y: [2]) { b } }'],
  ])('%s', (_what, one, other) => {
    expect(key(one)).toBe(key(other))
  })

  test('for variables that only choose changes', () => {
    const source = 'subscription ($x: Int) { a(x: $x) { b } }'
    expect(key(source, { x: 1 })).toBe(key(source, { x: 2 }))
    expect(key(source, { x: 1, unused: 3 })).toBe(key(source))
  })

  test('whatever the order of an object’s keys', () => {
    const source = 'subscription ($x: JSON) { a { b(x: $x) } }'
    expect(key(source, { x: { p: 1, q: [2] } })).toBe(key(source, { x: { q: [2], p: 1 } }))
  })
})

describe('the key of an operation differs', () => {
  test.each([
    ['fields', 'subscription { a { b } }', 'subscription { a { c } }'],
    ['order', 'subscription { a { b c } }', 'subscription { a { c b } }'],
    ['aliases', 'subscription { a { b } }', 'subscription { x: a { b } }'],
    ['arguments below the root', 'subscription { a { b(x: 1) } }', 'subscription { a { b(x: 2) } }'],
    ['directives', 'subscription { a { b @skip(if: true) } }', 'subscription { a { b @skip(if: false) } }'],
    [
      'fragments',
      'subscription { a { ...F } } fragment F on A { b }',
      'subscription { a { ...F } } fragment F on A { c }',
    ],
    [
      'defaults',
      'subscription ($x: Int = 1) { a { b(x: $x) } }',
      'subscription ($x: Int = 2) { a { b(x: $x) } }',
    ],
  ])('by %s', (_what, one, other) => {
    expect(key(one)).not.toBe(key(other))
  })

  test.each([
    [{ x: 1 }, { x: '1' }],
    [{ x: null }, {}],
    [{ x: [] }, { x: {} }],
    [{ x: { p: 1 } }, { x: [['p', 1]] }],
    [{ x: { p: 1 } }, { x: { entries: [['p', 1]] } }],
    [{ x: true }, { x: false }],
  ])('by variables that a result depends on: %j and %j', (one, other) => {
    const below = 'subscription ($x: JSON) { a { b(x: $x) } }'
    expect(key(below, one)).not.toBe(key(below, other))
    const inFragment = 'subscription ($x: JSON) { ...F } fragment F on S { a(x: $x) { b } }'
    expect(key(inFragment, one)).not.toBe(key(inFragment, other))
  })

  test('by the operation of a document that is asked for; null where there is none', () => {
    const source = 'subscription A { a { b } } subscription B { a { c } }'
    expect(key(source, {}, 'A')).not.toBe(key(source, {}, 'B'))
    expect(key(source, {}, 'A')).toBe(key('subscription { a { b } }'))
    expect(key(source, {}, 'C')).toBeNull()
  })
})
