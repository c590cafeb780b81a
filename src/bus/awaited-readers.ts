/** Stage 6, bus. How far those are who read the log, for the source, while a transaction is coming that is larger than what the log keeps. */
import { endBefore } from '../changes/cursor.ts'
import type { AwaitedReaders, ReadLag, ReadShare } from '../source/session/reader-wait.ts'
import type { History } from './history.ts'
import { shareBetween } from './oldest-read.ts'
import type { Readers } from './readers.ts'
import type { RetainedLogOptions } from './retained-log.ts'

/** Of what the log may keep: what has come of a transaction by the time that it may leave somebody behind. */
const LARGE_SHARE = 1 / 4

/** Those of one bus. */
export class BusReaders implements AwaitedReaders {
  readonly #now: () => readonly [History | null, Readers | null, RetainedLogOptions]

  /** `now` gives the present history, those who read it, and the bounds of its log. */
  constructor(now: () => readonly [History | null, Readers | null, RetainedLogOptions]) {
    this.#now = now
  }

  get lag(): ReadLag | null {
    const [history, readers, { bytesMax: kept, bytesReadMax: bytesMax = kept }] = this.#now()
    if (history === null || readers === null) return null
    const { log } = history
    // Most transactions come in one part, and few are as large: nobody is asked.
    if (log.openLsn === null || log.byteLength < LARGE_SHARE * bytesMax) return null
    const coming = shareBetween(log, log.find(endBefore(log.openLsn)), log.end)
    if (coming.bytes < LARGE_SHARE * bytesMax) return null
    // Also who still reads the one before: several large ones may come one after the other.
    const oldest = readers.oldestAwaited()
    return oldest < log.end ? { bytes: shareBetween(log, oldest, log.end).bytes, bytesMax } : null
  }

  beginRound(): void {
    this.#now()[1]?.beginRound()
  }

  leaveSlow(min: ReadShare): void {
    this.#now()[1]?.leaveSlow(min)
  }
}
