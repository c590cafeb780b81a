/** Stage 6, bus. How numbers are compared: exactly, NaN equal to itself and above all others, −0 equal to 0. */
import { Decimal, decimalDigits } from '../../catalog/prisma-runtime.ts'
import { memberOf } from '../../member-of.ts'
import { ORDER } from './operators.ts'
import type { ValueDomain } from './value-domain.ts'

type DecimalValue = InstanceType<typeof Decimal>

const WHOLE = /^-?\d{1,19}$/
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?$/
const INT64_MAX = 2n ** 63n - 1n

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -1 : Number(a > b)
}

function numberDomain(name: string, rest: Partial<ValueDomain<number>>): ValueDomain<number> {
  return {
    name,
    operators: ORDER,
    wanted: 'a number',
    parse: (input) => (typeof input === 'number' ? input : undefined),
    normalize: (value) => (typeof value === 'number' ? value : undefined),
    // A Map takes NaN for NaN, and −0 for 0.
    keyOf: (normal) => normal,
    compare: compareNumbers,
    ...rest,
  }
}

/** GraphQL's ID brings a key's number as text. */
function parseInteger(input: unknown): number | undefined {
  const value = typeof input === 'string' && WHOLE.test(input) ? Number(input) : input
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

const integer = numberDomain('int', { wanted: 'a whole number', parse: parseInteger })

const float = numberDomain('float', {})

/** float4: PostgreSQL rounds the filter's value to 24 bits first, as the row's is. */
const real = numberDomain('real', {
  wanted: 'a number within the range of a 4-byte float',
  parse(input) {
    if (typeof input !== 'number') return undefined
    const rounded = Math.fround(input)
    return Number.isFinite(input) && !Number.isFinite(rounded) ? undefined : rounded
  },
  normalize: (value) => (typeof value === 'number' ? Math.fround(value) : undefined),
})

function parseBigInt(input: unknown): bigint | undefined {
  const isWhole = typeof input === 'bigint' || Number.isSafeInteger(input)
  if (!isWhole && !(typeof input === 'string' && WHOLE.test(input))) return undefined
  const value = BigInt(input as bigint | number | string)
  return value > INT64_MAX || value < -INT64_MAX - 1n ? undefined : value
}

const bigInt: ValueDomain<bigint> = {
  name: 'bigint',
  operators: ORDER,
  wanted: 'a whole number of 64 bits (a bigint, an exact number, or its digits)',
  parse: parseBigInt,
  normalize: (value) => (typeof value === 'bigint' ? value : undefined),
  keyOf: (normal) => normal,
  compare: (a, b) => (a < b ? -1 : Number(a > b)),
}

/** Decimals of any copy of decimal.js, numbers and text; none that PostgreSQL would not take as a parameter. */
function parseDecimal(input: unknown): DecimalValue | undefined {
  if (input instanceof Decimal) return input.isFinite() ? input : undefined
  const text = typeof input === 'number' || typeof input === 'bigint' ? String(input) : decimalText(input)
  return text !== undefined && DECIMAL.test(text) ? new Decimal(text) : undefined
}

function decimalText(input: unknown): string | undefined {
  if (typeof input === 'string') return input
  const toFixed = memberOf(input, 'toFixed')
  return typeof toFixed === 'function' ? String(toFixed.call(input)) : undefined
}

/** Digits and exponent: the same for 1.0 and 1.00, whatever decimal.js is set to. */
function decimalKey(value: DecimalValue): string {
  if (value.isZero()) return '0'
  return value.isFinite() ? decimalDigits(value) : String(value)
}

function compareDecimals(a: DecimalValue, b: DecimalValue): number {
  if (a.isNaN() || b.isNaN()) return Number(a.isNaN()) - Number(b.isNaN())
  return a.comparedTo(b)
}

const decimal: ValueDomain<DecimalValue> = {
  name: 'decimal',
  isCostly: true,
  operators: ORDER,
  wanted: 'a decimal number (a Decimal, a number, or its text)',
  parse: parseDecimal,
  normalize: (value) => (value instanceof Decimal ? value : undefined),
  keyOf: decimalKey,
  compare: compareDecimals,
}

/**
 * PostgreSQL rounds the filter's value to what the currency has, half away from zero; how many digits that is may be known
 * only when a row is there.
 */
export function createMoneyDomain(scale: () => number): ValueDomain<DecimalValue> {
  const roundLate = (given: DecimalValue) => given.toDecimalPlaces(scale(), Decimal.ROUND_HALF_UP)
  return {
    ...decimal,
    name: 'money',
    roundLate,
    compare: (row, given) => compareDecimals(row, roundLate(given)),
  }
}

/** By Prisma's type, and where the column's own type matters. */
export const NUMBER_DOMAINS = {
  byType: { Int: integer, BigInt: bigInt, Float: float, Decimal: decimal },
  byNativeType: { Real: real },
}
