/** What rows that have come weigh, whatever their Json is like. */
import { describe, expect, it } from 'vitest'
import { bytesOf, LIGHT_BYTES } from '../../../src/graphql/reading/row-weights.ts'

const COUNT = 500_000

function nested(depth: number): unknown {
  let value: unknown = 'x'
  for (let level = 0; level < depth; level += 1) value = { inner: [value] }
  return value
}

describe('the weight of a row', () => {
  it.each([
    [
      'an object of many keys',
      Object.fromEntries(Array.from({ length: COUNT }, (_, n) => [`k${n}`, n])),
      COUNT,
    ],
    ['a list of many values', Array.from({ length: COUNT }, (_, n) => n), COUNT],
    ['what is nested deeply', nested(COUNT), 2 * COUNT],
  ])('counts %s', (_, json, values) => {
    expect(bytesOf({ json })).toBeGreaterThan(values * LIGHT_BYTES)
  })
})
