/**
 * Stage 3, catalog. Numbers of Json that a JavaScript number does not hold exactly. PostgreSQL compares them by every digit;
 * rows show them rounded, as Prisma Client does. Beside such a document an exact one is kept, for filters: in it these
 * numbers are symbols with their text. PostgreSQL manual, 8.14 "JSON Types"; RFC 8259, chapter 6.
 */
import { randomUUID } from 'node:crypto'
import { Decimal } from '../prisma-runtime.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'

/** Up to 15 digits without an exponent are exact. */
const MAY_BE_INEXACT = /[\d.]{16}|\d[eE]/
const NUMBER_START = /[-\d]/
const NUMBER_PART = /[\d.eE+-]/
const DECIMAL = /^-?(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/
/** Stands before the text of a number while the document is read; nobody can guess it. */
const MARK = `${randomUUID()} `
const EXACT = new WeakMap<object, unknown>()

/** Digits without zeros at either end, and the power of ten of the last: one form for `1.50` and `15e-1`. */
function digitsOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? []
  const digits = `${whole}${fraction}`
  let start = 0
  let end = digits.length
  while (start < end && digits[start] === '0') start += 1
  while (end > start && digits[end - 1] === '0') end -= 1
  if (start === end) return '0'
  const power = Number(exponent) - fraction.length + digits.length - end
  return `${text.startsWith('-') ? '-' : ''}${digits.slice(start, end)}e${power}`
}

/** Whether the JSON text of a number means what it is read as: its digits are those that JavaScript writes for it. */
export function isExactNumber(text: string): boolean {
  const value = Number(text)
  return Number.isFinite(value) && digitsOf(text) === digitsOf(String(value))
}

/** Whether two JSON texts of numbers mean one number. */
export function isSameNumber(a: string, b: string): boolean {
  return a === b || digitsOf(a) === digitsOf(b)
}

/** The text with strings in place of the numbers that are not exact; null where all are. */
function markInexact(text: string): string | null {
  let marked = ''
  let copied = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '"') at = closingQuote(text, at)
    if (!NUMBER_START.test(text[at] ?? '')) continue
    const start = at
    while (NUMBER_PART.test(text[at + 1] ?? '')) at += 1
    const token = text.slice(start, at + 1)
    if (isExactNumber(token)) continue
    marked += `${text.slice(copied, start)}"${MARK}${token}"`
    copied = at + 1
  }
  return copied === 0 ? null : marked + text.slice(copied)
}

/** Index of the quote that closes the string beginning at `start`. */
export function closingQuote(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

/** A marked document, with symbols for the marks. */
function unmark(marked: string): unknown {
  return JSON.parse(marked, (_, member: unknown) =>
    typeof member === 'string' && member.startsWith(MARK) ? Symbol(member.slice(MARK.length)) : member,
  )
}

/** A document with a symbol in place of each number that is not exact, be it the only one. */
export function parseWithSymbols(text: string): unknown {
  const marked = MAY_BE_INEXACT.test(text) ? markInexact(text) : null
  return marked === null ? JSON.parse(text) : unmark(marked)
}

/** A document as Prisma Client returns it; of one number alone that is not what its text says, that it is none. */
export function parseExactJson(text: string): unknown {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text)
  const marked = markInexact(text)
  const value: unknown = JSON.parse(text)
  if (marked === null) return value
  // Nothing can be kept beside a number. A whole one beyond 2^53 needs it not: no filter may name it.
  if (typeof value !== 'object' || value === null) {
    return isUnsafe(value) ? value : new UnrepresentableValue('inexact-number', text)
  }
  EXACT.set(value, unmark(marked))
  return value
}

/** Whether this is a number of which nobody knows what it was before it was a JavaScript number. */
export function isUnsafe(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER
}

/** The document of a row with symbols in place of the numbers that are not exact. */
export function exactJsonOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (EXACT.get(value) ?? value) : value
}

/** Negative, zero or positive: a number of an exact document against a number that is exact. */
export function compareExactNumber(value: unknown, wanted: number): number {
  if (typeof value !== 'symbol') return Number(value) - wanted
  const text = value.description ?? ''
  const rounded = Number(text)
  return rounded === wanted ? new Decimal(text).comparedTo(wanted) : rounded - wanted
}
