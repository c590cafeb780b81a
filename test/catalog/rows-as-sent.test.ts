/** Rows that were read are as the stream brings them: what is nested too deeply is a value that cannot be shown, with its text. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rowsAsSent } from '../../src/catalog/rows-as-sent.ts'
import { JSON_DEPTH_MAX, jsonTextOf } from '../../src/catalog/values/json-depth.ts'
import type { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { bytesOf } from '../../src/graphql/reading/row-weights.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const model = buildModel([
  buildField('id', 'Int'),
  buildField('json', 'Json'),
  { ...buildField('list', 'Json'), isList: true },
])

function nested(depth: number): unknown {
  let value: unknown = {}
  for (let level = 1; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value]
  return value
}

it('the text is that of JSON.stringify', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(jsonTextOf(value)).toBe(JSON.stringify(value))
    }),
  )
})

it('rows that can be walked over are the same objects', () => {
  const rows = [{ id: 1, json: nested(JSON_DEPTH_MAX), list: [nested(JSON_DEPTH_MAX)] }]
  expect(rowsAsSent(model)(rows)[0]).toBe(rows[0])
  expect(rowsAsSent(buildModel([buildField('id', 'Int')]))(rows)).toBe(rows)
})

it.each([JSON_DEPTH_MAX + 1, 100_000])(
  'of %i levels there is the text, which weighs what it takes',
  (depth) => {
    const [row] = rowsAsSent(model)([{ id: 1, json: nested(depth), list: [1, nested(depth)] }])
    const { json, list } = row as { readonly json: UnrepresentableValue; readonly list: UnrepresentableValue }
    expect([json.reason, list.reason]).toEqual(['too-deep', 'too-deep'])
    expect(list.value).toEqual([1, json.value])
    expect(String(json.value).replaceAll(/[^{[]/g, '')).toHaveLength(depth)
    expect(bytesOf(row)).toBeGreaterThan(2 * String(json.value).length)
  },
)
