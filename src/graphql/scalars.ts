/**
 * Stage 7, graphql. GraphQL forms of Prisma's types that GraphQL has no type for. Lossless both ways:
 * numbers that JavaScript's `number` cannot hold travel as strings.
 */
import {
  GraphQLError,
  type GraphQLScalarLiteralParser,
  GraphQLScalarType,
  Kind,
  type ValueNode,
  valueFromASTUntyped,
  visit,
} from 'graphql'
import { isExactNumber } from '../catalog/values/exact-json.ts'
import { isValueDeeper } from '../catalog/values/json-depth.ts'
import { openJson } from './json-document.ts'
import { unrepresentableError } from './unrepresentable.ts'

/** Names of the scalars defined here. */
export type ScalarName = 'DateTime' | 'Date' | 'Time' | 'BigInt' | 'Decimal' | 'JSON' | 'Bytes' | 'Cursor'

const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIME = /^(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)$/
/** Characters of `2026-11-23`. */
const ISO_DATE_LENGTH = 10
const DAY_MS = 86_400_000
const INTEGER = /^-?\d{1,19}$/
const DECIMAL = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const INT64_MAX = 2n ** 63n - 1n
/** Every decimal of up to 15 significant digits survives the way through a double. */
const EXACT_DIGITS = 15

/** An instant, as `2026-11-23T08:15:30.123Z`. */
export const DateTimeScalar = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'A date and time with offset, as in RFC 3339: `2026-11-23T08:15:30.123Z`. Sent in UTC.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (value) => isoText(value, 'DateTime'),
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(textOf(node, 'DateTime', [Kind.STRING])),
})

/** A day of the calendar, without a zone: `@db.Date`. The Date that Prisma has for it is that day's midnight in UTC. */
export const DateScalar = new GraphQLScalarType<Date, string>({
  name: 'Date',
  description: 'A day of the calendar, as in RFC 3339: `2026-11-23`. It has no time and no zone.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/local-date.html',
  serialize: (value) => isoText(value, 'Date').slice(0, ISO_DATE_LENGTH),
  parseValue: parseDate,
  parseLiteral: (node) => parseDate(textOf(node, 'Date', [Kind.STRING])),
})

/** A time of day, without a zone: `@db.Time`. The Date that Prisma has for it is on 1970-01-01 in UTC. */
export const TimeScalar = new GraphQLScalarType<Date, string>({
  name: 'Time',
  description:
    'A time of day, to the millisecond: `08:15:30.123`. It has no day and no zone; `24:00:00` is its end.',
  specifiedByURL: 'https://scalars.graphql.org/apollographql/localtime-v0.1.html',
  serialize: formatTime,
  parseValue: parseTime,
  parseLiteral: (node) => parseTime(textOf(node, 'Time', [Kind.STRING])),
})

/** A 64-bit integer, as a string of digits. */
export const BigIntScalar = new GraphQLScalarType<bigint, string>({
  name: 'BigInt',
  description:
    'A signed 64-bit integer, sent as a string of digits: JSON numbers lose precision beyond 2^53. ' +
    'Accepts a string, or a number that is exact.',
  serialize: (value) => shown('BigInt', () => parseBigInt(value).toString()),
  parseValue: parseBigInt,
  parseLiteral: (node) => parseBigInt(textOf(node, 'BigInt', [Kind.STRING, Kind.INT])),
})

/** An exact decimal number, as a string. */
export const DecimalScalar = new GraphQLScalarType<string, string>({
  name: 'Decimal',
  description:
    'An exact decimal number, sent as a string such as `"12.50"`, never in exponent form; `"NaN"` and `"Infinity"` are possible. ' +
    'Accepts a string, or a number of up to 15 significant digits.',
  serialize: (value) => shown('Decimal', () => (hasToFixed(value) ? value.toFixed() : parseDecimal(value))),
  parseValue: parseDecimal,
  parseLiteral: (node) => parseDecimal(textOf(node, 'Decimal', [Kind.STRING, Kind.INT, Kind.FLOAT])),
})

/** @throws where a number is written with more digits than JavaScript holds: it would become another one. */
const parseJsonLiteral: GraphQLScalarLiteralParser<unknown> = (node, variables) => {
  visit(node, {
    enter(inner) {
      const isNumber = inner.kind === Kind.INT || inner.kind === Kind.FLOAT
      if (isNumber && !isExactNumber(inner.value))
        throw refused('JSON', 'numbers that JavaScript holds exactly')
    },
  })
  return valueFromASTUntyped(node, variables)
}

/** Any JSON value. */
export const JsonScalar = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  description: 'Any JSON value: object, list, string, number, boolean or null.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  serialize(value) {
    if (isValueDeeper(openJson(value))) throw unrepresentableError('a JSON field', 'too-deep')
    return value
  },
  parseValue: (value) => value,
  parseLiteral: parseJsonLiteral,
})

/** Bytes, as base64. */
export const BytesScalar = new GraphQLScalarType<Uint8Array, string>({
  name: 'Bytes',
  description: 'Bytes, as base64 with padding.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc4648#section-4',
  serialize(value) {
    if (!(value instanceof Uint8Array)) throw unrepresentableError('a Bytes field', 'no-bytes')
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  },
  parseValue: parseBytes,
  parseLiteral: (node) => parseBytes(textOf(node, 'Bytes', [Kind.STRING])),
})

/** A position in the stream of changes. Whether it is one of ours is judged where it is used: BAD_CURSOR. */
export const CursorScalar = new GraphQLScalarType<string, string>({
  name: 'Cursor',
  description: 'A position in the stream of changes. Opaque: keep it, and hand it back exactly as it came.',
  serialize: (value) => String(value),
  parseValue(value) {
    if (typeof value !== 'string') throw refused('Cursor', 'text')
    return value
  },
  parseLiteral: (node) => textOf(node, 'Cursor', [Kind.STRING]),
})

/** All of them by their name in GraphQL. */
export const SCALARS: Readonly<Record<ScalarName, GraphQLScalarType>> = {
  DateTime: DateTimeScalar,
  Date: DateScalar,
  Time: TimeScalar,
  BigInt: BigIntScalar,
  Decimal: DecimalScalar,
  JSON: JsonScalar,
  Bytes: BytesScalar,
  Cursor: CursorScalar,
}

function parseDateTime(value: unknown): Date {
  const match = typeof value === 'string' ? DATE_TIME.exec(value) : null
  if (match === null) throw refused('DateTime', 'text such as 2026-11-23T08:15:30Z')
  if (!isDay(match)) throw refused('DateTime', 'a day of the calendar')
  return new Date(match[0])
}

function parseDate(value: unknown): Date {
  const match = typeof value === 'string' ? DATE.exec(value) : null
  if (match === null) throw refused('Date', 'text such as 2026-11-23')
  if (!isDay(match)) throw refused('Date', 'a day of the calendar')
  return new Date(`${match[0]}T00:00:00.000Z`)
}

function parseTime(value: unknown): Date {
  if (typeof value !== 'string' || !TIME.test(value)) throw refused('Time', 'text such as 08:15:30')
  return new Date(`1970-01-01T${value}Z`)
}

/** PostgreSQL's 24:00:00, the end of a day, is the next day's midnight. */
function formatTime(value: unknown): string {
  const text = isoText(value, 'Time').slice(ISO_DATE_LENGTH + 1, -1)
  return (value as Date).getTime() === DAY_MS ? `24${text.slice(2)}` : text
}

/** Whether year, month and day, the first three groups of a match, are a day of the calendar. */
function isDay([, yearText, monthText, dayText]: RegExpExecArray): boolean {
  const [year, month, day] = [Number(yearText), Number(monthText), Number(dayText)]
  // The calendar repeats every 400 years; Date.UTC takes years below 100 for ones of the twentieth century.
  const lastDay = new Date(Date.UTC(year + 400, month, 0)).getUTCDate()
  return month >= 1 && month <= 12 && day >= 1 && day <= lastDay
}

/** `2026-11-23T08:15:30.123Z`. Infinite dates and years beyond 9999 are no valid Dates, and of those nobody knows which they were. */
function isoText(value: unknown, scalar: ScalarName): string {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  const isInvalid = value instanceof Date
  const reason = scalar === 'Time' ? 'offset-with-seconds' : 'date-out-of-range'
  throw unrepresentableError(`a ${scalar} field`, isInvalid ? reason : 'wrong-type')
}

function parseBigInt(value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  const parsed =
    typeof value === 'bigint'
      ? value
      : typeof value === 'string' && INTEGER.test(value)
        ? BigInt(value)
        : null
  if (parsed === null || parsed > INT64_MAX || parsed < -INT64_MAX - 1n) {
    throw refused('BigInt', 'digits within 64 bits, or an exact whole number')
  }
  return parsed
}

function parseDecimal(value: unknown): string {
  const text = typeof value === 'bigint' || typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !DECIMAL.test(text)) throw refused('Decimal', 'a decimal number')
  if (typeof value === 'number' && significantDigits(text) > EXACT_DIGITS && !Number.isSafeInteger(value)) {
    throw refused('Decimal', 'a string, because a number of so many digits is not exact')
  }
  return text
}

function parseBytes(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !BASE64.test(value)) throw refused('Bytes', 'base64 with padding')
  return new Uint8Array(Buffer.from(value, 'base64'))
}

function significantDigits(text: string): number {
  const [mantissa = ''] = text.split(/[eE]/, 1)
  return mantissa.replace(/[-.]/g, '').replace(/^0+/, '').length
}

/** Prisma's Decimal (decimal.js), recognised by what it can do: several copies of the class may be loaded. */
function hasToFixed(value: unknown): value is { toFixed(): string } {
  return (
    typeof value === 'object' && value !== null && 'toFixed' in value && typeof value.toFixed === 'function'
  )
}

function textOf(node: ValueNode, scalar: ScalarName, kinds: readonly Kind[]): string {
  if (!kinds.includes(node.kind) || !('value' in node) || typeof node.value !== 'string') {
    throw new GraphQLError(`${scalar} cannot be written as ${node.kind}.`, { nodes: node })
  }
  return node.value
}

/** What is sent of a value; one that the scalar refuses fails its field, with a code. */
function shown(scalar: ScalarName, serialize: () => string): string {
  try {
    return serialize()
  } catch {
    throw unrepresentableError(`a ${scalar} field`, 'not-a-number')
  }
}

/** Names the scalar and what it takes, never the value. */
function refused(scalar: ScalarName, wanted: string): GraphQLError {
  return new GraphQLError(`${scalar} takes ${wanted}.`)
}
