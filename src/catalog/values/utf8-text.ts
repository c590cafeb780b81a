/** Stage 3, catalog. Bytes → text. A SQL_ASCII database holds bytes that are no text, and no text may be made of them. */
import { isUtf8 } from 'node:buffer'

/** Stands where a decoder found no character; a text may also have it of itself. */
const REPLACEMENT = '\uFFFD'

/** The text of UTF-8. @throws RangeError where the bytes are none: the reader of rows makes an `UnrepresentableValue` of it */
export function decodeUtf8(buffer: Buffer, start: number, end: number): string {
  const text = buffer.toString('utf8', start, end)
  if (text.includes(REPLACEMENT) && !isUtf8(buffer.subarray(start, end))) throw new RangeError('No UTF-8.')
  return text
}
