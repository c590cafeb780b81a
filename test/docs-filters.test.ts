/** The table of operators in docs/filters.md is that of the parser. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { domainOf } from '../src/bus/filter/field-domain.ts'
import { LIST_OPERATORS } from '../src/bus/filter/list-operators.ts'
import { JSON_OPERATORS, operatorNames } from '../src/bus/filter/operators.ts'
import type { FieldSpec } from '../src/catalog/model-catalog.ts'
import { buildField } from './support/catalog-builder.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../docs/filters.md'), 'utf8')
const ENUMS = { enums: { Role: { name: 'Role', values: [] } } } as never

/** The operators that a row of the page names, in its order. */
function documented(firstCell: string): readonly string[] {
  const row = PAGE.split('\n').find((line) => line.startsWith(`| ${firstCell} |`))
  const cell = row?.split('|')[2]?.split(/,|\. /)[0] ?? ''
  return [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')
}

function operatorsOf(...fields: readonly FieldSpec[]): readonly string[] {
  const [first, ...others] = fields.map((field) => domainOf(field, ENUMS)?.operators ?? [])
  for (const other of others) expect(other).toEqual(first)
  return first ?? []
}

const field = (type: string, rest: Partial<FieldSpec> = {}) => buildField('field', type, rest)

it.each([
  ['text', [...operatorsOf(field('String'), field('String', { nativeType: 'Citext' })), 'mode']],
  [
    'UUID, `ID`, numbers, dates',
    operatorsOf(
      field('String', { nativeType: 'Uuid' }),
      ...['Int', 'BigInt', 'Float', 'Decimal', 'DateTime'].map((type) => field(type)),
    ),
  ],
  [
    'enums, `Bytes`, `@db.Inet`',
    operatorsOf(
      ...[field('Role', { kind: 'enum' }), field('Bytes'), field('String', { nativeType: 'Inet' })],
    ),
  ],
  ['Boolean', operatorsOf(field('Boolean'))],
  ['lists', operatorNames(LIST_OPERATORS)],
  ['Json', operatorNames(JSON_OPERATORS).filter((name) => !name.endsWith('Null'))],
])('%s', (firstCell, operators) => {
  expect([...documented(firstCell)].sort()).toEqual([...operators].sort())
})
