/** Stage 6, bus. How far those are who read the log, for the source, while a transaction is coming that is larger than what the log keeps. */
import type { AwaitedReaders, ReadLag, ReadShare } from '../source/session/reader-wait.ts'
import type { History } from './history.ts'
import { shareBetween } from './oldest-read.ts'
import type { Readers } from './readers.ts'
import type { RetainedLogOptions } from './retained-log.ts'

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
    // Most transactions come in one part, and the rest of few is as large: nobody else is asked.
    if (log.openLsn === null || log.byteLength < bytesMax / 4) return null
    const oldest = readers.oldestAwaited()
    if (log.read(oldest)?.part.transaction.commitLsn !== log.openLsn) return null
    return { bytes: shareBetween(log, oldest, log.end).bytes, bytesMax }
  }

  beginRound(): void {
    this.#now()[1]?.beginRound()
  }

  leaveSlow(min: ReadShare): void {
    this.#now()[1]?.leaveSlow(min)
  }
}
