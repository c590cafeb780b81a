/** The table of types against PostgreSQL's own catalog, and float4 against its printer. */
import { expect, test } from 'vitest'
import { TEXT_LIKE_TYPES, TYPE_TABLE } from '../../../src/catalog/values/type-table.ts'
import { widenFloat4 } from '../../../src/catalog/values/widen-float4.ts'
import { openDatabase } from '../../support/database.ts'

test('names and OIDs are PostgreSQL’s', async () => {
  await using database = await openDatabase()
  const rows = await database.query<{ typname: string; oid: number; typarray: number }>(
    'SELECT typname, oid::int8::int4 AS oid, typarray::int8::int4 AS typarray FROM pg_type WHERE oid < 16384',
  )
  const types = new Map(rows.map((row) => [row.typname, [row.oid, row.typarray]]))
  const textLike = TEXT_LIKE_TYPES.filter(({ oid }) => oid !== null)
  for (const row of [...TYPE_TABLE, ...textLike])
    expect([row.oid, row.arrayOid], row.pgType).toEqual(types.get(row.pgType))
})

test('every kind of float4 is widened to the decimal that PostgreSQL prints', async () => {
  const cell = new DataView(new ArrayBuffer(4))
  const values: number[] = []
  for (let exponent = 0; exponent < 255; exponent++) {
    // Around each power of two, and ties among the shorter decimals, where rounding is delicate.
    for (const mantissa of [0, 1, 2, 3, 0x400000, 0x7ffffe, 0x7fffff, 0x123456, 0x654321]) {
      cell.setUint32(0, (exponent << 23) | mantissa)
      values.push(cell.getFloat32(0), -cell.getFloat32(0))
    }
  }
  for (let step = 1; step < 2000; step++) values.push(2 ** 20 + step / 8, Math.fround(step * 170_332_193))
  const finite = values.filter((value) => value !== 0)
  await using database = await openDatabase()
  const rows = await database.query<{ printed: string }>(
    'SELECT value::float4::text AS printed FROM unnest($1::float8[]) WITH ORDINALITY AS list (value, place) ORDER BY place',
    [finite],
  )
  expect(finite.map(widenFloat4)).toEqual(rows.map((row) => Number(row.printed)))
})
