/** Stage 8, server. Bounds what one delivery may weigh, where its text is made anyway. */
import { RowcastError } from '../errors.ts'

/** Whether the text is longer than so many bytes as UTF-8. */
export function isLongerThan(text: string, bytesMax: number): boolean {
  // A UTF-16 unit is one to three bytes: most texts need not be counted.
  if (text.length > bytesMax) return true
  return text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax
}

/** The error of a delivery that was too long. */
export function payloadTooLarge(bytesMax: number): RowcastError {
  return new RowcastError('PAYLOAD_TOO_LARGE', `A result is longer than ${bytesMax} bytes.`)
}
