/** Stage 6, bus. How text and what Prisma shows as text is compared. */
import { parseAddress } from './network-address.ts'
import { EQUALITY, ORDER, TEXT } from './operators.ts'
import { compareCodePoints, lowerCase } from './text-order.ts'
import type { ValueDomain } from './value-domain.ts'

const UUID = /^\{?((?:[0-9a-f]{4}-?){8})\}?$/i

const SPACE = 0x20

const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const same = (value: string): string => value

/** char(n): spaces at the end are padding, and do not count. */
function stripPadding(value: string): string {
  let end = value.length
  while (end > 0 && value.charCodeAt(end - 1) === SPACE) end -= 1
  return value.slice(0, end)
}

function textDomain(
  name: string,
  rest: Partial<ValueDomain<string>> & { normalText?: (text: string) => string },
): ValueDomain<string> {
  const { normalText = same, ...overrides } = rest
  const normalize = (value: unknown) => (typeof value === 'string' ? normalText(value) : undefined)
  return {
    name,
    operators: TEXT,
    wanted: 'text',
    parse: normalize,
    normalize,
    keyOf: same,
    compare: compareCodePoints,
    mayDiffer: 'order',
    ...overrides,
  }
}

const insensitive = textDomain('text, insensitive', {
  isCostly: true,
  normalText: lowerCase,
  mayDiffer: 'all',
})

const text = textDomain('text', { pattern: { plain: same, insensitive: same }, insensitive })

const char = textDomain('char', {
  isCostly: true,
  normalText: stripPadding,
  // As PostgreSQL has them: LIKE on the text without its padding, ILIKE on the text with it.
  pattern: { plain: stripPadding, insensitive: same },
  insensitive: textDomain('char, insensitive', {
    isCostly: true,
    mayDiffer: 'all',
    normalText: (value) => lowerCase(stripPadding(value)),
    // lower() makes text of the parameter, and of text every space counts.
    parse: (input) => (typeof input === 'string' ? lowerCase(input) : undefined),
  }),
})

const citext = textDomain('citext', {
  isCostly: true,
  mayDiffer: 'all',
  normalText: lowerCase,
  pattern: { plain: same, insensitive: same },
  insensitive,
})

const bits = textDomain('bits', {
  mayDiffer: undefined,
  wanted: 'a string of 0 and 1',
  parse: (input) => (typeof input === 'string' && /^[01]*$/.test(input) ? input : undefined),
  normalize: asText,
  pattern: { plain: same, insensitive: null },
})

/** Any of PostgreSQL's spellings of a UUID, as it prints them. */
function canonicalUuid(value: unknown): string | undefined {
  const digits =
    typeof value === 'string' ? UUID.exec(value)?.[1]?.replaceAll('-', '').toLowerCase() : undefined
  if (digits === undefined) return undefined
  const cut = (from: number, to: number) => digits.slice(from, to)
  return `${cut(0, 8)}-${cut(8, 12)}-${cut(12, 16)}-${cut(16, 20)}-${cut(20, 32)}`
}

const uuid: ValueDomain<string> = {
  name: 'uuid',
  operators: ORDER,
  wanted: 'a UUID',
  parse: canonicalUuid,
  // A row's are canonical already.
  normalize: asText,
  keyOf: same,
  compare: (a, b) => (a < b ? -1 : Number(a > b)),
}

const address: ValueDomain<string> = {
  name: 'address',
  isCostly: true,
  operators: EQUALITY,
  wanted: 'an IPv4 or IPv6 address, with or without a prefix length',
  parse: (input) => (typeof input === 'string' ? parseAddress(input) : undefined),
  normalize: (value) => (typeof value === 'string' ? parseAddress(value) : undefined),
  keyOf: same,
  compare: compareCodePoints,
}

/** By what the Prisma schema says of the column. */
export const TEXT_DOMAINS = {
  text,
  byNativeType: { Char: char, Citext: citext, Bit: bits, VarBit: bits, Uuid: uuid, Inet: address },
}
