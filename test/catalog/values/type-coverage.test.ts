/** A row of the table of types is one of all that depends on it: what the compiler does not find is found here. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EXTENSION_TYPES, TYPE_TABLE } from '../../../src/catalog/values/type-table.ts'

const schema = readFileSync(join(import.meta.dirname, '../../support/types-schema/schema.prisma'), 'utf8')
const page = readFileSync(join(import.meta.dirname, '../../../docs/types.md'), 'utf8')
const rows = TYPE_TABLE.filter(({ isNative }) => isNative)

/** A column without an attribute has the first type of its scalar. */
const isFirst = (row: (typeof rows)[number]) => rows.find(({ scalar }) => scalar === row.scalar) === row

it('every type is a column of the schema that is compared with Prisma Client', () => {
  const missing = [...rows, ...EXTENSION_TYPES].filter(
    ({ scalar, nativeType }) =>
      !new RegExp(`\\b${scalar}(?:\\[\\]|\\?)?\\s+(?:@\\S+ )*@db\\.${nativeType}\\b`).test(schema),
  )
  const other = missing.filter((row) => !rows.some((each) => each === row && isFirst(each)))
  expect(other.map(({ nativeType }) => nativeType)).toEqual([])
  for (const { scalar } of missing) expect(schema).toMatch(new RegExp(`\\b${scalar}\\b`))
})

it('every type is in the documentation', () => {
  const missing = rows.filter(
    ({ nativeType, pgType }) => !page.includes(`${nativeType}`) || !page.includes(pgType),
  )
  expect(missing.map(({ pgType }) => pgType)).toEqual([])
})
