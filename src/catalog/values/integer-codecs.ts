/** Stage 3, catalog. PostgreSQL's integers behind Prisma's Int and BigInt. */
import { readInt32, readUint32 } from '../../pgoutput/big-endian.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'
import type { ValueCodec } from './value-codec.ts'

const TWO_TO_32 = 4_294_967_296
const cell = new DataView(new ArrayBuffer(8))

function readInt16(buffer: Buffer, at: number): number {
  return (((buffer[at] as number) << 24) | ((buffer[at + 1] as number) << 16)) >> 16
}

/** Signed 64 bits; small values, which most are, take the shorter way to a bigint. */
export function readBigint(buffer: Buffer, at: number): bigint {
  const high = readInt32(buffer, at)
  const low = readUint32(buffer, at + 4)
  if (high >= -0x200000 && high < 0x200000) return BigInt(high * TWO_TO_32 + low)
  cell.setInt32(0, high)
  cell.setUint32(4, low)
  return cell.getBigInt64(0)
}

function toSafeInteger(value: bigint): number | UnrepresentableValue {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : new UnrepresentableValue('unsafe-integer', value)
}

function integerCodec(byteLength: 2 | 4 | 8, read: (buffer: Buffer, at: number) => number): ValueCodec {
  return { parse: Number, decode: read, sameness: null, byteLength }
}

/** int2 as a number. */
export const int2Codec: ValueCodec = integerCodec(2, readInt16)
/** int4 as a number. */
export const int4Codec: ValueCodec = integerCodec(4, readInt32)
/** oid as a number: unsigned, so up to 4,294,967,295. */
export const oidCodec: ValueCodec = integerCodec(4, readUint32)

/** int8 as a bigint. */
export const int8Codec: ValueCodec = {
  parse: BigInt,
  decode: readBigint,
  sameness: null,
  byteLength: 8,
}

/** int8 behind an Int field: a number where it is safe, as Prisma Client returns it. */
export const safeInt8Codec: ValueCodec = {
  parse: (text) => toSafeInteger(BigInt(text)),
  decode: (buffer, start) => toSafeInteger(readBigint(buffer, start)),
  sameness: null,
  byteLength: 8,
}
