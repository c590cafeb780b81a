/** What PostgreSQL is asked for has every row of which the condition is true: what it leaves out would be missing without a word. */
import { describe, expect, it } from 'vitest'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { narrowedWhere } from '../../src/sets/narrowed-where.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const thing = buildModel([
  buildField('id', 'Int'),
  buildField('small', 'Int', { nativeType: 'SmallInt' }),
  buildField('big', 'BigInt'),
  buildField('uuid', 'String', { nativeType: 'Uuid' }),
  buildField('text', 'String'),
  buildField('code', 'String', { nativeType: 'VarChar' }),
  buildField('loose', 'String', { nativeType: 'Citext' }),
])

const narrowed = (where: object) =>
  narrowedWhere(thing, parseWhere(thing, { ...blogCatalog, models: { Thing: thing } }, where))

describe('the rows of a condition', () => {
  it.each([
    [{ id: 7 }, { id: { in: [7] } }],
    [{ big: '7' }, { big: { in: [7n] } }],
    [
      { uuid: '6A0E3A3C-0000-4000-8000-000000000001' },
      { uuid: { in: ['6a0e3a3c-0000-4000-8000-000000000001'] } },
    ],
    [{ text: 'A' }, { text: { in: ['A'] } }],
    [{ code: { in: ['A', 'B'] } }, { code: { in: ['A', 'B'] } }],
  ])('are asked for by their own values (%#)', (where, wanted) => {
    expect(narrowed(where)).toEqual(wanted)
  })

  it.each([
    { text: { equals: 'A', mode: 'insensitive' } },
    { code: { in: ['A'], mode: 'insensitive' } },
    { loose: 'A' },
    { NOT: { id: 7 } },
  ])('are not asked for by values that others are equal to: %j', (where) => {
    expect(narrowed(where)).toBeNull()
  })

  it.each([
    [{ id: { in: [7, 2 ** 40] } }, { id: { in: [7] } }],
    [{ small: 70_000 }, { small: { in: [] } }],
    [{ text: { in: ['a\0', 'b'] } }, { text: { in: ['b'] } }],
  ])('are not asked for by a value that no column has, and PostgreSQL rejects: %j', (where, wanted) => {
    expect(narrowed(where)).toEqual(wanted)
  })
})
