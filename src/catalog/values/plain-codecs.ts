/** Stage 3, catalog. bool, bytea, json and jsonb. */
import { parseExactJson } from './exact-json.ts'
import { isJsonTextDeeper } from './json-depth.ts'
import { isSameJson, isSameJsonb } from './same-json.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'
import { decodeUtf8 } from './utf8-text.ts'
import { copyBytes, type ValueCodec } from './value-codec.ts'

/** bool: `t` or `f`, 1 or 0. */
export const booleanCodec: ValueCodec = {
  parse: (text) => text === 't',
  decode: (buffer, start) => buffer[start] === 1,
  sameness: null,
  byteLength: 1,
}

/** bytea as a Uint8Array of its own (never a Buffer, as Prisma Client returns it): `\x` and hexadecimal, or raw. */
export const bytesCodec: ValueCodec = {
  parse: (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex')),
  decode: (buffer, start, end) => copyBytes(buffer, start, end),
  sameness: null,
  byteLength: null,
}

/** What is nested too deeply stays text: comparing, filtering and printing it would overflow the stack. */
function parseJson(text: string): unknown {
  return isJsonTextDeeper(text) ? new UnrepresentableValue('too-deep', text) : parseExactJson(text)
}

/** The codec of a type whose text is JSON and begins `skipped` bytes into its binary form. */
function createJsonCodec(skipped: number, isSame: (a: string, b: string) => boolean): ValueCodec {
  const read = (buffer: Buffer, start: number, end: number) => decodeUtf8(buffer, start + skipped, end)
  return {
    parse: parseJson,
    decode: (buffer, start, end) => parseJson(read(buffer, start, end)),
    // By their texts: rows show numbers rounded.
    sameness: { parse: (text) => text, decode: read, isSame: (a, b) => isSame(a as string, b as string) },
    byteLength: null,
  }
}

/** json: its text in both forms. Spaces, the order of keys and repeated keys differ without the value differing. */
export const jsonCodec = createJsonCodec(0, isSameJson)

/** jsonb: its text, in binary form after a byte with the version, 1. */
export const jsonbCodec = createJsonCodec(1, isSameJsonb)
