/** Stage 3, catalog. Whether two JSON texts are one value to PostgreSQL: as jsonb compares them, numbers by every digit. */
import { closingQuote, isSameNumber, parseWithSymbols } from './exact-json.ts'
import { isJsonTextDeeper } from './json-depth.ts'
import { isSameValue } from './same-value.ts'

const QUOTE = 0x22
const NUMBER = /[-\d][\d.eE+-]*/y
const NUMBER_START = /^[-\d]/

/** A string, a number, or any other character. */
function tokenAt(text: string, at: number): string {
  if (text.charCodeAt(at) === QUOTE) return text.slice(at, closingQuote(text, at) + 1)
  NUMBER.lastIndex = at
  return NUMBER.exec(text)?.[0] ?? text.charAt(at)
}

function isNumber(token: string): boolean {
  return NUMBER_START.test(token)
}

/**
 * Two texts that jsonb printed: keys are in order there, each once, and spaces and escapes are always the same. So only
 * numbers may be written in two ways, `1.0` and `1.00`. However deep they are nested.
 */
export function isSameJsonb(a: string, b: string): boolean {
  let aAt = 0
  let bAt = 0
  while (aAt < a.length && bAt < b.length) {
    const aToken = tokenAt(a, aAt)
    const bToken = tokenAt(b, bAt)
    if (aToken !== bToken && !(isNumber(aToken) && isNumber(bToken) && isSameNumber(aToken, bToken)))
      return false
    aAt += aToken.length
    bAt += bToken.length
  }
  return aAt === a.length && bAt === b.length
}

/** Two texts of json, which are stored as they were written. What is nested too deeply is compared by its text. */
export function isSameJson(a: string, b: string): boolean {
  if (isJsonTextDeeper(a) || isJsonTextDeeper(b)) return false
  return isSameValue(parseWithSymbols(a), parseWithSymbols(b))
}
