/**
 * Stage 3, catalog. Lists: any type's array from the codec of its element.
 *
 * The binary form (src/backend/utils/adt/arrayfuncs.c, array_send):
 *
 *      0  Int32  number of dimensions, 0 to 6; an empty array has 0
 *      4  Int32  has NULLs?
 *      8  Int32  OID of the element's type
 *     12  for each dimension: Int32 its length, Int32 its lower bound
 *      …  for each element, the last dimension running fastest: Int32 length (−1 for NULL), then the value
 */
import { readInt32 } from '../../pgoutput/big-endian.ts'
import { parseArrayText } from './array-text.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'
import { type Sameness, unreadableBytes, type ValueCodec } from './value-codec.ts'

const DIMENSIONS_MAX = 6
const HEADER_BYTES = 12
const DIMENSION_BYTES = 8

/** How a list treats what PostgreSQL allows in an array. */
export interface ListOptions {
  /** Prisma Client returns a NULL in a list of Json as null, and refuses it in any other list. */
  readonly isNullElementAllowed: boolean
  /** Between elements of the text form. @default ',' */
  readonly delimiter?: ',' | ';' | undefined
}

/** Lengths of the dimensions; null where the bytes are no array at all. */
function readDimensions(buffer: Buffer, start: number, end: number): readonly number[] | null {
  if (end - start < HEADER_BYTES) return null
  const count = readInt32(buffer, start)
  if (count < 0 || count > DIMENSIONS_MAX || start + HEADER_BYTES + DIMENSION_BYTES * count > end) return null
  const lengths: number[] = []
  for (let index = 0; index < count; index++) {
    lengths.push(readInt32(buffer, start + HEADER_BYTES + DIMENSION_BYTES * index))
  }
  return lengths
}

/** The elements of an array are `buffer[start, end)`, each behind its length. */
interface ElementBytes {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

/** All elements in a row, whatever the dimensions; null where a length leads out of the value. */
function decodeElements(
  { buffer, start, end }: ElementBytes,
  count: number,
  element: Pick<ValueCodec, 'decode' | 'byteLength'>,
): unknown[] | null {
  if (count < 0 || count > (end - start) / 4) return null
  const values: unknown[] = []
  let at = start
  for (let index = 0; index < count; index++) {
    if (at + 4 > end) return null
    const byteLength = readInt32(buffer, at)
    at += 4
    if (byteLength === -1) {
      values.push(null)
      continue
    }
    const isMisfit = element.byteLength !== null && element.byteLength !== byteLength
    if (isMisfit || byteLength < 0 || byteLength > end - at) return null
    values.push(element.decode(buffer, at, at + byteLength))
    at += byteLength
  }
  return values
}

/** Cuts a flat list into lists of `length`, the innermost dimension. */
function nest(flat: readonly unknown[], length: number): unknown[] {
  return Array.from({ length: flat.length / length }, (_, index) =>
    flat.slice(index * length, (index + 1) * length),
  )
}

/** The list itself, or why Prisma Client could not have returned it. */
function checkList(elements: unknown[], isNullElementAllowed: boolean): unknown {
  for (const element of elements) {
    if (element instanceof UnrepresentableValue) {
      return new UnrepresentableValue(element.reason, elements.map(uncover))
    }
    if (element === null && !isNullElementAllowed) return new UnrepresentableValue('null-element', elements)
  }
  return elements
}

function uncover(element: unknown): unknown {
  return element instanceof UnrepresentableValue ? element.value : element
}

/** Creates the codec of a list from that of its elements. */
export function createArrayCodec(element: ValueCodec, options: ListOptions): ValueCodec {
  const { isNullElementAllowed, delimiter } = options

  function parse(text: string): unknown {
    // An element that begins with a brace is quoted: two braces in a row open two dimensions.
    const isNested = text.startsWith('{', text.indexOf('{') + 1)
    const parseElement = isNested ? (part: string) => uncover(element.parse(part)) : element.parse
    const elements = parseArrayText(text, parseElement, delimiter)
    if (elements === null) return new UnrepresentableValue('unreadable', text)
    if (isNested) return new UnrepresentableValue('multi-dimensional', elements)
    return checkList(elements, isNullElementAllowed)
  }

  function decode(buffer: Buffer, start: number, end: number): unknown {
    const lengths = readDimensions(buffer, start, end)
    if (lengths === null) return unreadableBytes(buffer, start, end)
    if (lengths.length === 0) return []
    const count = lengths.reduce((product, length) => product * length, 1)
    const elementsAt = start + HEADER_BYTES + DIMENSION_BYTES * lengths.length
    const flat = decodeElements({ buffer, start: elementsAt, end }, count, element)
    if (flat === null) return unreadableBytes(buffer, start, end)
    if (lengths.length === 1) return checkList(flat, isNullElementAllowed)
    const nested = lengths.slice(1).reduceRight((inner, length) => nest(inner, length), flat.map(uncover))
    return new UnrepresentableValue('multi-dimensional', nested)
  }

  return { parse, decode, sameness: createListSameness(element), byteLength: null }
}

/** An array taken apart to be compared: its dimensions with their bounds, then each element. */
interface Parts {
  readonly bounds: string
  readonly elements: readonly unknown[]
}

/**
 * Arrays are one value where dimensions, bounds and elements are. Their bytes may differ even where those of the elements
 * do not: whether one might be NULL is said in them, also when none is.
 */
function createListSameness({ sameness, byteLength }: ValueCodec): Sameness {
  const { parse, decode } = sameness ?? BYTES
  function isSameElement(a: unknown, b: unknown): boolean {
    if (a === b) return true
    if (Array.isArray(a)) return Array.isArray(b) && isSameList(a, b)
    return a !== null && b !== null && !Array.isArray(b) && sameness?.isSame(a, b) === true
  }
  function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
    return a.length === b.length && a.every((element, index) => isSameElement(element, b[index]))
  }
  return {
    parse(text): Parts | null {
      const elements = parseArrayText(text, parse)
      return elements === null ? null : { bounds: text.slice(0, text.indexOf('{')), elements }
    },
    decode(buffer, start, end): Parts | null {
      const lengths = readDimensions(buffer, start, end)
      if (lengths === null) return null
      const at = start + HEADER_BYTES + DIMENSION_BYTES * lengths.length
      const count = lengths.length === 0 ? 0 : lengths.reduce((product, length) => product * length, 1)
      const elements = decodeElements({ buffer, start: at, end }, count, { decode, byteLength })
      return elements === null
        ? null
        : { bounds: buffer.toString('latin1', start + HEADER_BYTES, at), elements }
    },
    isSame(a, b) {
      const [left, right] = [a as Parts | null, b as Parts | null]
      if (left === null || right === null) return false
      return left.bounds === right.bounds && isSameList(left.elements, right.elements)
    },
  }
}

const BYTES: Pick<ValueCodec, 'parse' | 'decode'> = {
  parse: (text) => text,
  decode: (buffer, start, end) => buffer.toString('latin1', start, end),
}
