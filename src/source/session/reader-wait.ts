/**
 * Stage 5, source. Back-pressure where PostgreSQL is the log: a transaction may be far larger than what it takes in the WAL, and come faster than
 * anybody can read it. While it is still coming nobody waits for anything else, so reading from PostgreSQL waits for those who
 * read it, within bounds, rather than leave them behind. And it waits for the next turn of the event loop where a turn has had enough.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { TransactionPart } from '../../changes/change.ts'
import type { Guard } from '../../guard.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'

/** How far whoever is waited for is behind. */
export interface ReadLag {
  readonly bytes: number
  /** Whoever is further behind is left behind. */
  readonly bytesMax: number
}

/** What somebody has read. */
export interface ReadShare {
  readonly bytes: number
  readonly changes: number
}

/** Those who read the transaction that is coming. */
export interface AwaitedReaders {
  /** Of the hindmost of them; null: nobody is about to be left behind by the transaction that it reads. */
  readonly lag: ReadLag | null
  /** Whether those who do not read the log have been offered so much that what comes next had better come in another turn. */
  readonly isTurnFull: boolean
  /** A round begins, in which each has to read some. */
  beginRound(): void
  /** Whoever has read less in this round, by either measure, is not waited for any more. */
  leaveSlow(min: ReadShare): void
}

/** What it works with. */
export interface ReaderWaitOptions {
  readonly readers: AwaitedReaders | undefined
  /** The connection that streams now, if one does. */
  readonly connectionNow: () => ReplicationConnection | null
  readonly guard: Guard
  /** @default performance.now */
  readonly monotonicMs?: (() => number) | undefined
}

/** Between two looks at how far they are. */
const LOOK_MS = 10
/**
 * Shares of the lag at which somebody would be left behind: from here on it is waited, and no longer once it is so little. Not later: what is
 * read from PostgreSQL takes the time of those who read it here.
 */
const FULL_SHARE = 1 / 2
const RELIEVED_SHARE = 3 / 8
/** Whoever reads less in a round is slow by itself, and not because the transaction is fast. */
const ROUND_MS = 2_000
const ROUND_MIN: ReadShare = { bytes: 1024 * 1024, changes: 1_000 }
/** For one transaction, all in all. */
const WAIT_MAX_MS = 30_000

/** One per source. */
export class ReaderWait {
  readonly #options: ReaderWaitOptions
  readonly #nowMs: () => number
  #commitLsn: Lsn | null = null
  #waitedMs = 0
  #isWaiting = false

  constructor(options: ReaderWaitOptions) {
    this.#options = options
    this.#nowMs = options.monotonicMs ?? (() => performance.now())
  }

  /** Whether nothing is read from PostgreSQL meanwhile. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** A part has been handed on. */
  afterPart(part: Pick<TransactionPart, 'transaction' | 'isFinal'>): void {
    const { readers, connectionNow } = this.#options
    if (readers === undefined || this.#isWaiting) return
    const isLate = this.#isLate(readers, part)
    const connection = isLate || readers.isTurnFull ? connectionNow() : null
    if (connection === null) return
    this.#hold(connection, () => (isLate ? this.#wait(connection, readers) : nextTurn()))
  }

  /** Whether somebody would soon be left behind by the transaction. */
  #isLate(
    readers: AwaitedReaders,
    { transaction, isFinal }: Pick<TransactionPart, 'transaction' | 'isFinal'>,
  ) {
    if (isFinal) return false
    if (transaction.commitLsn !== this.#commitLsn) {
      this.#commitLsn = transaction.commitLsn
      this.#waitedMs = 0
    }
    const { lag } = readers
    return lag !== null && lag.bytes >= FULL_SHARE * lag.bytesMax && this.#waitedMs < WAIT_MAX_MS
  }

  #hold(connection: ReplicationConnection, wait: () => Promise<void>): void {
    this.#isWaiting = true
    connection.pause()
    const goOn = (): void => {
      this.#isWaiting = false
      connection.resume()
    }
    const hold = async (): Promise<void> => {
      await wait()
      goOn()
    }
    this.#options.guard.wrap('wait for those who read', hold, goOn)()
  }

  async #wait(connection: ReplicationConnection, readers: AwaitedReaders): Promise<void> {
    let atMs = this.#nowMs()
    let roundMs = 0
    readers.beginRound()
    for (;;) {
      await delay(LOOK_MS, undefined, { ref: false })
      const nowMs = this.#nowMs()
      this.#waitedMs += nowMs - atMs
      roundMs += nowMs - atMs
      atMs = nowMs
      const { lag } = readers
      if (connection !== this.#options.connectionNow() || this.#waitedMs >= WAIT_MAX_MS) return
      if (lag === null || lag.bytes <= RELIEVED_SHARE * lag.bytesMax) return
      if (roundMs < ROUND_MS) continue
      readers.leaveSlow(ROUND_MIN)
      readers.beginRound()
      roundMs = 0
    }
  }
}
