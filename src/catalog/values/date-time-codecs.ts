/**
 * Stage 3, catalog. PostgreSQL's dates and times behind Prisma's DateTime. Prisma Client drops what is below a
 * millisecond, puts a time on 1970-01-01, ignores the zone of a timetz, and returns an Invalid Date for years it
 * cannot parse; so does this. Source: PostgreSQL manual, "Date/Time Types".
 */
import { readInt32, readUint32 } from '../../pgoutput/big-endian.ts'
import { PG_EPOCH_MS } from '../../wire/pg-time.ts'
import { createInvalidDate } from './unrepresentable-value.ts'
import type { ValueCodec } from './value-codec.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** 0001-01-01T00:00:00Z, the first instant that Prisma Client can parse. */
const FIRST_MS = -62_135_596_800_000
/** 10000-01-01T00:00:00Z, just past the last. */
const PAST_LAST_MS = 253_402_300_800_000
const INT32_MAX = 0x7fff_ffff
const INT32_MIN = -0x8000_0000

function createDate(unixMs: number): Date {
  if (unixMs >= FIRST_MS && unixMs < PAST_LAST_MS) return new Date(unixMs)
  return createInvalidDate(Number.isFinite(unixMs) ? 'date-out-of-range' : 'infinite-date', unixMs)
}

/**
 * Int64 microseconds → whole milliseconds, rounded down as Prisma Client's truncated digits are. Halves apart:
 * a double does not hold every count of microseconds, and a bigint costs an allocation.
 */
function readMicrosAsMs(buffer: Buffer, at: number): number {
  const high = readInt32(buffer, at)
  const low = readUint32(buffer, at + 4)
  return high * 4_294_967 + Math.floor((high * 296 + low) / 1000)
}

function decodeTimestamp(buffer: Buffer, start: number): Date {
  const high = readInt32(buffer, start)
  if (high === INT32_MAX && readInt32(buffer, start + 4) === -1) return createDate(Number.POSITIVE_INFINITY)
  if (high === INT32_MIN && readInt32(buffer, start + 4) === 0) return createDate(Number.NEGATIVE_INFINITY)
  return createDate(readMicrosAsMs(buffer, start) + PG_EPOCH_MS)
}

function decodeDate(buffer: Buffer, start: number): Date {
  const days = readInt32(buffer, start)
  if (days === INT32_MAX) return createDate(Number.POSITIVE_INFINITY)
  if (days === INT32_MIN) return createDate(Number.NEGATIVE_INFINITY)
  return createDate(days * DAY_MS + PG_EPOCH_MS)
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC. Howard Hinnant, "days_from_civil". */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** `2026-11-22 13:14:15.678901+00 BC`: date, time and era are optional, the year has four digits or more. */
const DATE_TIME_TEXT =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?)?( BC)?$/
const TIME_TEXT = /^(\d\d):(\d\d):(\d\d)(\.\d+)?(?:[+-]\d\d(?::\d\d)?(:\d\d)?)?$/

function timeOfDayMs(hours: string, minutes: string, seconds: string, fraction: string | undefined): number {
  const ms = fraction === undefined ? 0 : Number(fraction.slice(1, 4).padEnd(3, '0'))
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 + ms
}

function parseDateTime(text: string): Date {
  const match = DATE_TIME_TEXT.exec(text)
  if (match === null) return createDate(text[0] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
  const [, year, month, day, hours, minutes, seconds, fraction, sign, ...zone] = match
  const days = daysFromCivil(
    match[12] === undefined ? Number(year) : 1 - Number(year),
    Number(month),
    Number(day),
  )
  let unixMs = days * DAY_MS
  if (hours !== undefined) unixMs += timeOfDayMs(hours, minutes ?? '', seconds ?? '', fraction)
  if (sign !== undefined) {
    const offsetMs = timeOfDayMs(zone[0] ?? '0', zone[1] ?? '0', zone[2] ?? '0', undefined)
    unixMs -= sign === '-' ? -offsetMs : offsetMs
  }
  return createDate(unixMs)
}

function parseTime(text: string): Date {
  const match = TIME_TEXT.exec(text)
  const unixMs =
    match === null ? Number.NaN : timeOfDayMs(match[1] ?? '', match[2] ?? '', match[3] ?? '', match[4])
  return match === null || match[5] !== undefined
    ? createInvalidDate('offset-with-seconds', unixMs)
    : new Date(unixMs)
}

/** timestamp and timestamptz at any precision: Int64 microseconds since 2000-01-01, UTC. */
export const timestampCodec: ValueCodec = {
  parse: parseDateTime,
  decode: decodeTimestamp,
  sameness: null,
  byteLength: 8,
}

/** date: Int32 days since 2000-01-01. */
export const dateCodec: ValueCodec = {
  parse: parseDateTime,
  decode: decodeDate,
  sameness: null,
  byteLength: 4,
}

/** time: Int64 microseconds since midnight; 24:00:00 is the next day's midnight. */
export const timeCodec: ValueCodec = {
  parse: parseTime,
  decode: (buffer, start) => new Date(readMicrosAsMs(buffer, start)),
  sameness: null,
  byteLength: 8,
}

/** timetz: a time, then Int32 seconds west of Greenwich. */
export const timetzCodec: ValueCodec = {
  parse: parseTime,
  decode(buffer, start) {
    const unixMs = readMicrosAsMs(buffer, start)
    const hasSeconds = (readInt32(buffer, start + 8) * 1000) % MINUTE_MS !== 0
    return hasSeconds ? createInvalidDate('offset-with-seconds', unixMs) : new Date(unixMs)
  },
  sameness: null,
  byteLength: 12,
}
