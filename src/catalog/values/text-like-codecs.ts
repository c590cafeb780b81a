/**
 * Stage 3, catalog. Types that Prisma has no scalar for, behind a String field, as PostgreSQL's output functions print
 * them: their binary forms are not their text.
 */
import { readInt32 } from '../../pgoutput/big-endian.ts'
import { readBigint } from './integer-codecs.ts'
import { decodeUtf8 } from './utf8-text.ts'
import { unreadableBytes, type ValueCodec } from './value-codec.ts'

function textLikeCodec(decode: ValueCodec['decode'], byteLength: number | null = null): ValueCodec {
  return { parse: (text) => text, decode, sameness: null, byteLength }
}

const VERSION = 1

/** ltree, lquery, ltxtquery and jsonpath: Byte1, the version of the form, which is 1; then the text. */
export const versionedTextCodec = textLikeCodec((buffer, start, end) =>
  buffer[start] === VERSION ? decodeUtf8(buffer, start + 1, end) : unreadableBytes(buffer, start, end),
)

/**
 * hstore (contrib/hstore/hstore_io.c, hstore_send): Int32, how many pairs; of each pair Int32 and the bytes of the key,
 * then Int32 and the bytes of the value, −1 for NULL.
 */
export const hstoreCodec = textLikeCodec((buffer, start, end) => {
  if (end - start < 4) return unreadableBytes(buffer, start, end)
  const pairs: string[] = []
  let at = start + 4
  for (let left = readInt32(buffer, start); left > 0; left--) {
    const key = readSized(buffer, at, end)
    const value = key?.text == null ? null : readSized(buffer, key.end, end)
    if (key?.text == null || value === null) return unreadableBytes(buffer, start, end)
    pairs.push(`${quoteHstore(key.text)}=>${value.text === null ? 'NULL' : quoteHstore(value.text)}`)
    at = value.end
  }
  return at === end ? pairs.join(', ') : unreadableBytes(buffer, start, end)
})

/** Text behind its length; null where it leads out of the value. */
function readSized(buffer: Buffer, at: number, end: number): { text: string | null; end: number } | null {
  if (at + 4 > end) return null
  const length = readInt32(buffer, at)
  if (length === -1) return { text: null, end: at + 4 }
  if (length < 0 || length > end - at - 4) return null
  return { text: decodeUtf8(buffer, at + 4, at + 4 + length), end: at + 4 + length }
}

function quoteHstore(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** macaddr and macaddr8: the bytes of the address. */
function macaddrCodec(byteLength: number): ValueCodec {
  return textLikeCodec((buffer, start, end) => {
    const bytes = [...buffer.subarray(start, end)]
    return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  }, byteLength)
}

/** macaddr: `08:00:2b:01:02:03`. */
export const macaddr6Codec = macaddrCodec(6)
/** macaddr8: `08:00:2b:01:02:03:04:05`. */
export const macaddr8Codec = macaddrCodec(8)

const RANGE = {
  empty: 0x01,
  lowerInclusive: 0x02,
  upperInclusive: 0x04,
  lowerInfinite: 0x08,
  upperInfinite: 0x10,
}

/**
 * Ranges of whole numbers (src/backend/utils/adt/rangetypes.c, range_send): Byte1 flags, then of each bound that there is
 * Int32 its length and its bytes.
 */
export const integerRangeCodec = textLikeCodec((buffer, start, end) => {
  const flags = buffer[start] ?? 0
  if ((flags & RANGE.empty) !== 0) return 'empty'
  let at = start + 1
  const readBound = (isInfinite: boolean): string => {
    if (isInfinite) return ''
    const length = readInt32(buffer, at)
    at += 4 + length
    return String(length === 8 ? readBigint(buffer, at - length) : readInt32(buffer, at - length))
  }
  const lower = readBound((flags & RANGE.lowerInfinite) !== 0)
  const upper = readBound((flags & RANGE.upperInfinite) !== 0)
  if (at !== end) return unreadableBytes(buffer, start, end)
  const open = (flags & RANGE.lowerInclusive) === 0 ? '(' : '['
  return `${open}${lower},${upper}${(flags & RANGE.upperInclusive) === 0 ? ')' : ']'}`
})

const MONTHS_A_YEAR = 12
const SECOND_US = 1_000_000n
const MINUTE_US = 60n * SECOND_US
const HOUR_US = 60n * MINUTE_US
const INT32_MAX = 2 ** 31 - 1
const INT64_MAX = 2n ** 63n - 1n

/** interval: Int64 microseconds, Int32 days, Int32 months; printed in the style `postgres`, as text is asked for. */
export const intervalCodec = textLikeCodec((buffer, start) => {
  const time = readBigint(buffer, start)
  const days = readInt32(buffer, start + 8)
  const months = readInt32(buffer, start + 12)
  // From PostgreSQL 17 on.
  if (time === INT64_MAX && days === INT32_MAX && months === INT32_MAX) return 'infinity'
  if (time === -INT64_MAX - 1n && days === -INT32_MAX - 1 && months === -INT32_MAX - 1) return '-infinity'
  return formatInterval(months, days, time)
}, 16)

/** EncodeInterval of src/backend/utils/adt/datetime.c, INTSTYLE_POSTGRES. */
function formatInterval(months: number, days: number, time: bigint): string {
  const parts: string[] = []
  let isAfterNegative = false
  const units = [
    [Math.trunc(months / MONTHS_A_YEAR), 'year'],
    [months % MONTHS_A_YEAR, 'mon'],
    [days, 'day'],
  ] as const
  for (const [value, unit] of units) {
    if (value === 0) continue
    parts.push(`${isAfterNegative && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`)
    isAfterNegative = value < 0
  }
  if (time === 0n && parts.length > 0) return parts.join(' ')
  const sign = time < 0n ? '-' : isAfterNegative ? '+' : ''
  return [...parts, sign + formatTime(time < 0n ? -time : time)].join(' ')
}

function formatTime(time: bigint): string {
  const two = (value: bigint) => value.toString().padStart(2, '0')
  const fraction = Number(time % SECOND_US) / Number(SECOND_US)
  const seconds = two((time % MINUTE_US) / SECOND_US)
  const clock = `${two(time / HOUR_US)}:${two((time % HOUR_US) / MINUTE_US)}:${seconds}`
  return fraction === 0 ? clock : clock + String(fraction).slice(1)
}
