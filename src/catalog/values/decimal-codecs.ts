/**
 * Stage 3, catalog. numeric and money behind Prisma's Decimal.
 *
 * The binary form of numeric (src/backend/utils/adt/numeric.c, numeric_send):
 *
 *     0  Int16  number of digits, in base 10,000
 *     2  Int16  weight              the first digit counts 10,000 ** weight
 *     4  Int16  sign                0x0000 +, 0x4000 −, 0xc000 NaN, 0xd000 Infinity, 0xf000 −Infinity
 *     6  Int16  display scale       trailing zeros to print; a Decimal has none
 *     8  Int16  each digit
 *
 * A Decimal keeps words of seven decimal digits, aligned at the point as PostgreSQL's of four are, so digits can
 * be moved over without printing and parsing them.
 */
import { readUint16 } from '../../pgoutput/big-endian.ts'
import { Decimal, decimalOf } from '../prisma-runtime.ts'
import { readBigint } from './integer-codecs.ts'
import { exactCodec, type ValueCodec } from './value-codec.ts'

const WORD_DIGITS = 7
const WORD_BASE = 10_000_000
const GROUP_DIGITS = 4
const POWERS_OF_TEN = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, WORD_BASE] as const

const SIGN_NEGATIVE = 0x4000
/** Signs from here on are no numbers. */
const SIGN_SPECIAL = 0xc000
const SPECIAL_VALUES: Readonly<Record<number, number>> = {
  [SIGN_SPECIAL]: Number.NaN,
  53248: Number.POSITIVE_INFINITY,
  61440: Number.NEGATIVE_INFINITY,
}

/** A number below 10,000,000, the only kind the leading word is. */
function countDigits(word: number): number {
  let digits = 1
  while (digits < WORD_DIGITS && word >= (POWERS_OF_TEN[digits] as number)) digits++
  return digits
}

/** Moves digits of base 10,000 into words of base 10,000,000; the most significant word first. */
function regroup(buffer: Buffer, start: number, groupCount: number, weight: number): number[] {
  const topWord = Math.floor((GROUP_DIGITS * weight + GROUP_DIGITS - 1) / WORD_DIGITS)
  const bottomWord = Math.floor((GROUP_DIGITS * (weight - groupCount + 1)) / WORD_DIGITS)
  const words = new Array<number>(topWord - bottomWord + 1).fill(0)
  for (let index = 0; index < groupCount; index++) {
    const group = readUint16(buffer, start + 2 * index)
    const exponent = GROUP_DIGITS * (weight - index)
    const word = Math.floor(exponent / WORD_DIGITS)
    const shift = exponent - word * WORD_DIGITS
    const scaled = group * (POWERS_OF_TEN[shift] as number)
    const carry = Math.floor(scaled / WORD_BASE)
    const slot = topWord - word
    words[slot] = (words[slot] as number) + scaled - carry * WORD_BASE
    if (carry > 0) words[slot - 1] = (words[slot - 1] as number) + carry
  }
  return words
}

function decodeNumeric(buffer: Buffer, start: number): Decimal {
  const groupCount = readUint16(buffer, start)
  const weight = (readUint16(buffer, start + 2) << 16) >> 16
  const sign = readUint16(buffer, start + 4)
  if (sign >= SIGN_SPECIAL) return new Decimal(SPECIAL_VALUES[sign] ?? Number.NaN)
  if (groupCount === 0) return new Decimal(0)
  const words = regroup(buffer, start + 8, groupCount, weight)
  let topWord = Math.floor((GROUP_DIGITS * weight + GROUP_DIGITS - 1) / WORD_DIGITS)
  while (words[0] === 0 && words.length > 1) {
    words.shift()
    topWord--
  }
  while (words[words.length - 1] === 0 && words.length > 1) words.pop()
  const exponent = topWord * WORD_DIGITS + countDigits(words[0] as number) - 1
  return decimalOf(sign === SIGN_NEGATIVE, exponent, words)
}

/** numeric as Prisma's Decimal; NaN and the infinities included. */
export const numericCodec: ValueCodec = exactCodec({
  parse: (text) => new Decimal(text),
  decode: decodeNumeric,
  byteLength: null,
})

/** Digits after the point in nearly all locales, and in C. */
export const MONEY_SCALE_DEFAULT = 2

/** money counts the smallest unit of the currency; how many digits after the point that is, lc_monetary says. */
function unitsToDecimal(units: bigint, scale: number): Decimal {
  if (scale === 0) return new Decimal(units.toString())
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  return new Decimal(`${units < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`)
}

/**
 * money as Prisma's Decimal. Prisma Client reads `money::numeric`; the replication stream has the count of units, or
 * text such as `-$1,234.56`, whose digits are that count.
 */
export function createMoneyCodec(scale: number): ValueCodec {
  return {
    parse(text) {
      const units = BigInt(text.replace(/\D/g, ''))
      return unitsToDecimal(text.includes('-') || text.includes('(') ? -units : units, scale)
    },
    decode: (buffer, start) => unitsToDecimal(readBigint(buffer, start), scale),
    sameness: null,
    byteLength: 8,
  }
}
