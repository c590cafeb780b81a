/**
 * Stage 3, catalog. PostgreSQL's types behind Prisma's String. Most send their text in binary form, too; uuid, bit
 * strings and network addresses have bytes of their own, printed here as their output functions print them.
 */
import { isUtf8 } from 'node:buffer'
import { readInt32 } from '../../pgoutput/big-endian.ts'
import { decodeUtf8 } from './utf8-text.ts'
import { unreadableBytes, type ValueCodec } from './value-codec.ts'

function identity(text: string): string {
  return text
}

const DELETE = 0x7f
const SPACE = 0x20
const isWhiteSpace = (byte: number): boolean => byte >= 0x09 && byte <= 0x0d

/** UTF-8 without control characters: binary forms have counts, lengths, flags or versions in them. */
function isText(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number
    if ((byte < SPACE && !isWhiteSpace(byte)) || byte === DELETE) return false
  }
  return isUtf8(buffer.subarray(start, end))
}

/** text, varchar, bpchar (padded, as Prisma returns it), name, xml, citext, enum labels. */
export const textCodec: ValueCodec = {
  parse: identity,
  decode: decodeUtf8,
  sameness: null,
  byteLength: null,
}

/**
 * A type that only the database knows, behind a String field. Enums and the like are text in binary form, too; where the
 * bytes are not (those of composite types, ranges, cubes), nothing is guessed of them.
 */
export const unknownTextCodec: ValueCodec = {
  parse: identity,
  decode: (buffer, start, end) =>
    isText(buffer, start, end) ? decodeUtf8(buffer, start, end) : unreadableBytes(buffer, start, end),
  sameness: null,
  byteLength: null,
}

/**
 * A type of an extension whose binary form is its text, known by its name alone, which another type may have. PostgreSQL's text
 * has no zero byte, and binary forms with lengths or counts do.
 */
export const namedTextCodec: ValueCodec = {
  parse: identity,
  decode: (buffer, start, end) => {
    const bytes = buffer.subarray(start, end)
    return !bytes.includes(0) && isUtf8(bytes)
      ? decodeUtf8(buffer, start, end)
      : unreadableBytes(buffer, start, end)
  },
  sameness: null,
  byteLength: null,
}

/** Two lower-case hexadecimal digits of each byte, as character codes side by side. */
const HEX_PAIRS = Uint8Array.from({ length: 512 }, (_, index) =>
  (index % 2 === 0 ? (index >> 5).toString(16) : ((index >> 1) & 15).toString(16)).charCodeAt(0),
)
const DASH = 0x2d
/** Bytes of a uuid that a dash follows: 3, 5, 7 and 9. */
const DASH_AFTER = (1 << 3) | (1 << 5) | (1 << 7) | (1 << 9)
const uuidScratch = Buffer.alloc(36)

function decodeUuid(buffer: Buffer, start: number): string {
  let at = 0
  for (let index = 0; index < 16; index++) {
    const pair = (buffer[start + index] as number) << 1
    uuidScratch[at++] = HEX_PAIRS[pair] as number
    uuidScratch[at++] = HEX_PAIRS[pair + 1] as number
    if ((DASH_AFTER >> index) & 1) uuidScratch[at++] = DASH
  }
  return uuidScratch.toString('latin1', 0, 36)
}

/** uuid: 16 bytes. */
export const uuidCodec: ValueCodec = {
  parse: identity,
  decode: decodeUuid,
  sameness: null,
  byteLength: 16,
}

/** bit and varbit: Int32 length in bits, then the bits from the left, padded to whole bytes. */
export const bitStringCodec: ValueCodec = {
  parse: identity,
  decode(buffer, start, end) {
    let bits = ''
    for (let at = start + 4; at < end; at++) bits += (buffer[at] as number).toString(2).padStart(8, '0')
    return bits.slice(0, readInt32(buffer, start))
  },
  sameness: null,
  byteLength: null,
}
