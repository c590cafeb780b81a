/** Stage 6, bus. How much of what the slot keeps the log in memory keeps. */
import { DEFAULT_RETENTION, type Retention } from '../source/slot/retention-window.ts'
import type { RetainedLogOptions } from './retained-log.ts'

/** Of the slot's bytes: WAL has headers, index entries and page images beside the rows, the log in memory has not. */
const MEMORY_SHARE = 3 / 8
/** The same while somebody reads the oldest of it: who reads slowly on purpose makes the process hold so much more. */
const READ_SHARE = 3 / 4

/** What the log in memory keeps. Where the slot keeps nothing, memory costs PostgreSQL nothing. */
export function logBoundsOf({ bytes, minutes }: Retention): Partial<RetainedLogOptions> {
  const { bytes: bytesDefault, minutes: minutesDefault } = DEFAULT_RETENTION
  return {
    bytesMax: (bytes || bytesDefault) * MEMORY_SHARE,
    // A transaction whose WAL fits what is retained fits the log, as long as somebody is still reading it.
    bytesReadMax: (bytes || bytesDefault) * READ_SHARE,
    ageMaxMs: (minutes || minutesDefault) * 60_000,
  }
}
