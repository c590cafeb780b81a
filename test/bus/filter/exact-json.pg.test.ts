/** Numbers of Json that JavaScript does not hold exactly: PostgreSQL's jsonb says which are equal, and which is greater. */
import { expect, test } from 'vitest'
import { evaluateCondition } from '../../../src/bus/filter/compile-condition.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { jsonbCodec } from '../../../src/catalog/values/plain-codecs.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { openDatabase } from '../../support/database.ts'

const ROWS = [
  ...['5', '5.0', '5.00000000000000000001', '4.99999999999999999999', '0.1', '0.10000000000000000001'],
  ...[
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
    '9007199254740991.4',
    '-5.00000000000000000001',
  ],
  ...['1e400', '1e-400', '0', '-0', '123456789012345678901234567890', '0.30000000000000004', '1.7e308'],
]
const OPERANDS = [5, 0.1, 0, 0.1 + 0.2, 2 ** 53 - 1, -5]
const FORMS: readonly (readonly [filter: (value: number) => object, sql: string])[] = [
  [(value) => ({ path: ['n'], equals: value }), `d -> 'n' = o`],
  [(value) => ({ path: ['n'], not: value }), `d -> 'n' <> o`],
  [(value) => ({ path: ['n'], gt: value }), `d -> 'n' > o`],
  [(value) => ({ path: ['n'], lte: value }), `d -> 'n' <= o`],
  [
    (value) => ({ path: ['deep', '0'], equals: { n: value } }),
    `d #> '{deep,0}' = jsonb_build_object('n', o)`,
  ],
  [(value) => ({ path: ['list'], array_contains: [value] }), `d -> 'list' @> jsonb_build_array(o)`],
  [
    (value) => ({ path: ['deep'], array_contains: [{ n: value }] }),
    `d -> 'deep' @> jsonb_build_array(jsonb_build_object('n', o))`,
  ],
  [(value) => ({ path: ['list'], array_starts_with: value }), `d #> '{list,0}' = o`],
]

const model = buildModel([buildField('it', 'Json'), buildField('many', 'Json', { isList: true })])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: model }, enums: {}, joinTables: [] }

function conditionOf(where: object) {
  return parseWhere(model, catalog, where)
}

test('are compared by every digit, as jsonb compares them', async () => {
  await using database = await openDatabase()
  const documents = ROWS.map(
    (n) => `{"n": ${n}, "list": [${n}, "1e5"], "deep": [{"n": ${n}}], "s": "${n} \\" 1e400"}`,
  )
  let differing = 0
  for (const [filter, sql] of FORMS) {
    const rows = await database.query(
      `SELECT d::text AS d, o::text AS o, ${sql} AS holds FROM unnest($1::text[]) AS t(x), unnest($2::text[]) AS u(y), LATERAL (SELECT x::jsonb AS d, y::jsonb AS o) AS v`,
      [documents, OPERANDS.map(String)],
    )
    expect(rows).toHaveLength(ROWS.length * OPERANDS.length)
    for (const { d, o, holds } of rows) {
      const it = jsonbCodec.parse(String(d))
      expect(it).toEqual(JSON.parse(String(d)))
      const condition = conditionOf({ it: filter(Number(o)) })
      expect([String(d), o, sql, evaluateCondition(condition, { it })]).toEqual([String(d), o, sql, holds])
      if (evaluateCondition(condition, { it: JSON.parse(String(d)) }) !== holds) differing += 1
    }
  }
  // Without the exact documents these would be wrong.
  expect(differing).toBeGreaterThan(20)
})
