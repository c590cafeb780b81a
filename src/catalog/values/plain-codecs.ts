/** Stage 3, catalog. bool, bytea, json and jsonb. */
import { parseExactJson } from './exact-json.ts'
import { isJsonTextDeeper } from './json-depth.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'
import { decodeUtf8 } from './utf8-text.ts'
import { copyBytes, type ValueCodec } from './value-codec.ts'

/** bool: `t` or `f`, 1 or 0. */
export const booleanCodec: ValueCodec = {
  parse: (text) => text === 't',
  decode: (buffer, start) => buffer[start] === 1,
  isComparedByValue: false,
  byteLength: 1,
}

/** bytea as a Uint8Array of its own (never a Buffer, as Prisma Client returns it): `\x` and hexadecimal, or raw. */
export const bytesCodec: ValueCodec = {
  parse: (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex')),
  decode: (buffer, start, end) => copyBytes(buffer, start, end),
  isComparedByValue: false,
  byteLength: null,
}

/** What is nested too deeply stays text: comparing, filtering and printing it would overflow the stack. */
function parseJson(text: string): unknown {
  return isJsonTextDeeper(text) ? new UnrepresentableValue('too-deep', text) : parseExactJson(text)
}

/** json: its text in both forms. Spaces, the order of keys and repeated keys differ without the value differing. */
export const jsonCodec: ValueCodec = {
  parse: parseJson,
  decode: (buffer, start, end) => parseJson(decodeUtf8(buffer, start, end)),
  isComparedByValue: true,
  byteLength: null,
}

/** jsonb: its text, in binary form after a byte with the version, 1. */
export const jsonbCodec: ValueCodec = {
  parse: parseJson,
  decode: (buffer, start, end) => parseJson(decodeUtf8(buffer, start + 1, end)),
  isComparedByValue: true,
  byteLength: null,
}
