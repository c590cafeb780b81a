/** Stage 3, catalog. Whether two values of rows are the same value, for types whose bytes do not say so. */
import { Decimal } from '../prisma-runtime.ts'
import { isSameNumber } from './exact-json.ts'
import { explainUnrepresentable } from './unrepresentable-value.ts'

function isSameDate(a: Date, b: Date): boolean {
  if (!Number.isNaN(a.getTime()) || !Number.isNaN(b.getTime())) return a.getTime() === b.getTime()
  const before = explainUnrepresentable(a)
  const after = explainUnrepresentable(b)
  return before?.reason === after?.reason && before?.value === after?.value
}

/** Of a number in an exact document. */
function textOf(number: symbol): string {
  return number.description ?? ''
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((element, index) => isSameValue(element, b[index]))
}

function isSameObject(a: object, b: object): boolean {
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  const left = a as Readonly<Record<string, unknown>>
  const right = b as Readonly<Record<string, unknown>>
  return keys.every((key) => Object.hasOwn(right, key) && isSameValue(left[key], right[key]))
}

/**
 * Whether two values are the same as a row shows them: decimals 1.0 and 1.00, Json whatever the order of its
 * keys, dates to the millisecond. NaN is NaN, and −0 is 0, as PostgreSQL compares them. Exact documents are compared by every digit.
 */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a === 'number') return Number.isNaN(a) && typeof b === 'number' && Number.isNaN(b)
  if (typeof a === 'symbol') return typeof b === 'symbol' && isSameNumber(textOf(a), textOf(b))
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && isSameList(a, b)
  if (a instanceof Date) return b instanceof Date && isSameDate(a, b)
  if (a instanceof Decimal) return b instanceof Decimal && (a.equals(b) || (a.isNaN() && b.isNaN()))
  if (a instanceof Uint8Array) return b instanceof Uint8Array && isSameBytes(a, b)
  return !Array.isArray(b) && isSameObject(a, b)
}
