/**
 * Stage 6, bus. How far those are who read the log, for the source, while a transaction is coming that is larger than what the log keeps; and whether
 * those who are live have been offered enough for one turn.
 */
import { endBefore } from '../changes/cursor.ts'
import type { AwaitedReaders, ReadLag, ReadShare } from '../source/session/reader-wait.ts'
import type { History } from './history.ts'
import type { LiveSubscribers } from './live-subscribers.ts'
import { shareBetween } from './oldest-read.ts'
import type { Readers } from './readers.ts'
import type { RetainedLogOptions } from './retained-log.ts'

/** Of what the log may keep: what has come of a transaction by the time that it may leave somebody behind. */
const LARGE_SHARE = 1 / 4

type PartsOfBus = readonly [
  History | null,
  Readers | null,
  RetainedLogOptions,
  Pick<LiveSubscribers, 'isTurnFull'>,
]

/** Those of one bus. */
export class BusReaders implements AwaitedReaders {
  readonly #now: () => PartsOfBus

  /** `now` gives the present history, those who read it, the bounds of its log, and those who do not read it. */
  constructor(now: () => PartsOfBus) {
    this.#now = now
  }

  get isTurnFull(): boolean {
    return this.#now()[3].isTurnFull
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
