/** Beside the spine, sets. Which fields PostgreSQL adds up, and of which it knows the least and the greatest value. */
import type { FieldSpec } from '../catalog/model-catalog.ts'

const SUMMED_TYPES: ReadonlySet<string> = new Set(['Int', 'BigInt', 'Float', 'Decimal'])

/** It has neither min() nor max() of them; of bytea only since PostgreSQL 18. Prisma Client offers them all the same. */
const TYPES_WITHOUT_EXTREMES: ReadonlySet<string> = new Set(['Boolean', 'Bytes', 'Json'])
const NATIVE_TYPES_WITHOUT_EXTREMES: ReadonlySet<string> = new Set(['Uuid', 'Bit', 'VarBit', 'Xml'])

/** Prisma Client reads money of rows as a number, and what is made of many as text with its commas, which it then takes for no number. */
export function isUnreadInTotals({ nativeType }: FieldSpec): boolean {
  return nativeType === 'Money'
}

/** Whether there is a sum of the field. */
export function isSummed(field: FieldSpec): boolean {
  const { kind, type, nativeType, isList } = field
  if (isUnreadInTotals(field)) return false
  return kind === 'scalar' && !isList && SUMMED_TYPES.has(type) && nativeType !== 'Oid'
}

/** Whether there is a least and a greatest value of the field. */
export function hasExtremes(field: FieldSpec): boolean {
  const { kind, type, nativeType, isList } = field
  if (isList || isUnreadInTotals(field)) return false
  if (kind === 'enum') return true
  return !TYPES_WITHOUT_EXTREMES.has(type) && !NATIVE_TYPES_WITHOUT_EXTREMES.has(nativeType ?? '')
}
