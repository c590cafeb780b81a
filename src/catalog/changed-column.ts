/** Stage 3, catalog. Whether a column of two rows has another value, where its bytes are not the same. */
import { COLUMN_NULL, COLUMN_UNCHANGED } from '../pgoutput/tuple.ts'
import { readValue } from './fast-row.ts'
import type { ColumnPlan } from './row-layout.ts'
import { isSameValue } from './values/same-value.ts'

/** A column of a tuple: its kind byte is at `at`. */
export interface ColumnBytes {
  readonly buffer: Buffer
  readonly at: number
}

/** True where PostgreSQL calls the two distinct, or a String has another text. Unchanged TOAST has not changed. */
export function hasOtherValue({ codec }: ColumnPlan, before: ColumnBytes, now: ColumnBytes): boolean {
  const read = ({ buffer, at }: ColumnBytes, reader: Pick<ColumnPlan['codec'], 'parse' | 'decode'>) =>
    readValue(buffer, at, reader)
  const kinds = [before.buffer[before.at], now.buffer[now.at]]
  if (kinds.includes(COLUMN_UNCHANGED)) return false
  if (kinds.includes(COLUMN_NULL)) return true
  try {
    // A text and a binary form: what they are read as is all that can be compared.
    if (kinds[0] !== kinds[1]) return !isSameValue(read(before, codec), read(now, codec))
    const { sameness } = codec
    return sameness === null || !sameness.isSame(read(before, sameness), read(now, sameness))
  } catch {
    // Bytes that are no value of the type, and other ones than before.
    return true
  }
}
