/**
 * Stage 3, catalog. How one PostgreSQL type becomes one Prisma scalar, in both forms that pgoutput sends: text, and
 * the bytes of the type's send function.
 */
import { isSameValue } from './same-value.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'

/** A pair of pure functions; both give the value that Prisma Client returns. */
export interface ValueCodec {
  /** From the text form: a column's, or an array element's with its quotes removed. */
  readonly parse: (text: string) => unknown
  /** From the binary form, the bytes from `start` up to, not including, `end`; the result keeps no view on them. */
  readonly decode: (buffer: Buffer, start: number, end: number) => unknown
  /** How values are compared whose bytes differ; null where other bytes are another value to PostgreSQL. */
  readonly sameness: Sameness | null
  /** Length of the binary form in bytes, null where it varies: guards columns whose type is known by hearsay only. */
  readonly byteLength: number | null
}

/**
 * Whether two values with other bytes are one to PostgreSQL (`IS NOT DISTINCT FROM`), which need not be what rows show: those
 * have dates to the millisecond, and round.
 */
export interface Sameness extends Pick<ValueCodec, 'parse' | 'decode'> {
  /** Compares what `parse` or `decode` of this gave. */
  readonly isSame: (a: unknown, b: unknown) => boolean
}

/** Of types whose values in rows are exact. */
export function exactCodec(codec: Omit<ValueCodec, 'sameness'>): ValueCodec {
  return { ...codec, sameness: { parse: codec.parse, decode: codec.decode, isSame: isSameValue } }
}

/** Bytes of their own as a Uint8Array; Buffer's slice would be a view, and a Buffer. */
export function copyBytes(buffer: Buffer, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  buffer.copy(copy, 0, start, end)
  return copy
}

/** The bytes of a value that are not in the form of its type. */
export function unreadableBytes(buffer: Buffer, start: number, end: number): UnrepresentableValue {
  return new UnrepresentableValue('unreadable', copyBytes(buffer, start, end))
}

/** The same PostgreSQL type, given on as another Prisma scalar: int4 behind a BigInt field, for instance. */
export function convertCodec(codec: ValueCodec, convert: (value: unknown) => unknown): ValueCodec {
  return {
    parse: (text) => convert(codec.parse(text)),
    decode: (buffer, start, end) => convert(codec.decode(buffer, start, end)),
    sameness: codec.sameness,
    byteLength: codec.byteLength,
  }
}

/** A codec for columns whose type is only presumed: what it cannot read is an `UnrepresentableValue`. */
export function guardCodec(codec: ValueCodec): ValueCodec {
  return {
    ...codec,
    parse(text) {
      try {
        return codec.parse(text)
      } catch {
        return new UnrepresentableValue('unreadable', text)
      }
    },
    decode(buffer, start, end) {
      try {
        if (codec.byteLength === null || codec.byteLength === end - start)
          return codec.decode(buffer, start, end)
      } catch {
        // Falls through: these bytes are something else.
      }
      return unreadableBytes(buffer, start, end)
    },
  }
}
