/**
 * Beside the spine, sets. How often what is kept may be read again: not more often than its interval, and not for more than a third of the
 * time; and not at all where each read is slow.
 */
import { RowcastError } from '../errors.ts'

/** After a read, the database has so many times as long as it took for others. */
const REST_FACTOR = 2
const SLOW_MS = 4_000
/** One slow read is no habit. */
const SLOW_READS_MAX = 4
/** The log may be shorter than a read takes: it would be read for ever, and shown to nobody. */
const LOSSES_MAX = 8
/** Commits may become visible in another order than the log has them: what is read then stands at no position of it. */
const WRONG_READS_MAX = 64

/** Milliseconds between two reads at the least. */
interface ReadIntervals {
  readonly intervalMs: number
  /** Where somebody waits. */
  readonly hurriedMs: number
}

/** A list that was refused is not read again for so long; twice as long each time that it is. */
const REFUSED_MS = 5_000
const REFUSED_MAX_MS = 300_000
/** Where the database is asked, not more often than this. */
const READ_INTERVAL_MS = 100

/** Of one kept set, and of the same one when it is opened again. */
export class ReadBudget {
  readonly #monotonicMs: () => number
  readonly #intervals: ReadIntervals
  #dueAtMs = Number.NEGATIVE_INFINITY
  #hurriedDueAtMs = Number.NEGATIVE_INFINITY
  #slowReads = 0
  #losses = 0
  #wrongReads = 0
  #refusals = 0
  #refusedUntilMs = Number.NEGATIVE_INFINITY
  #notedAtMs = Number.NEGATIVE_INFINITY

  /** @param everyMs between two patches at the least */
  constructor(monotonicMs: () => number, everyMs: number) {
    this.#monotonicMs = monotonicMs
    this.#intervals = { intervalMs: Math.max(everyMs, READ_INTERVAL_MS), hurriedMs: READ_INTERVAL_MS }
  }

  /** How long it is refused for still; 0 where it may be opened. */
  get refusedForMs(): number {
    return Math.max(0, this.#refusedUntilMs - this.#monotonicMs())
  }

  /** Whether it says more than a new one would: what was long ago says nothing. */
  get isUsed(): boolean {
    if (this.dueInMs > 0) return true
    const isClean = this.#slowReads + this.#losses + this.#wrongReads + this.#refusals === 0
    const sinceMs = Math.max(this.#notedAtMs, this.#dueAtMs, this.#refusedUntilMs)
    return !isClean && this.#monotonicMs() - sinceMs <= REFUSED_MAX_MS
  }

  /** When the next read may begin. */
  get dueInMs(): number {
    return this.#dueAtMs - this.#monotonicMs()
  }

  /** The same, where somebody waits for it. */
  get hurriedDueInMs(): number {
    return this.#hurriedDueAtMs - this.#monotonicMs()
  }

  /** A read that is over, and how long the database took. @throws LIST_TOO_COSTLY */
  note(tookMs: number): void {
    const dueAtMs = (ms: number) => this.#monotonicMs() + Math.max(ms - tookMs, REST_FACTOR * tookMs)
    this.#dueAtMs = dueAtMs(this.#intervals.intervalMs)
    this.#hurriedDueAtMs = dueAtMs(this.#intervals.hurriedMs)
    this.#slowReads = tookMs > SLOW_MS ? this.#slowReads + 1 : 0
    if (this.#slowReads < SLOW_READS_MAX) return
    throw this.refused(
      `The database took more than ${SLOW_MS} ms to read it, ${SLOW_READS_MAX} times in a row.`,
    )
  }

  /**
   * What was read came to where the stream is.
   * @param isShown whether it is shown: else all wait for the next
   * @throws LIST_TOO_COSTLY
   */
  noteSettled(isShown: boolean): void {
    this.#notedAtMs = this.#monotonicMs()
    this.#wrongReads = isShown ? 0 : this.#wrongReads + 1
    if (isShown) this.#losses = 0
    else this.#dueAtMs = Math.min(this.#dueAtMs, this.#hurriedDueAtMs)
    if (this.#wrongReads < WRONG_READS_MAX) return
    throw this.refused(
      `Commits became visible in another order than they were written, ${WRONG_READS_MAX} times in a row.`,
    )
  }

  /** Changes left the log before what had been read came to where the stream is. @throws LIST_TOO_COSTLY */
  noteLost(): void {
    this.#notedAtMs = this.#monotonicMs()
    this.#losses += 1
    if (this.#losses < LOSSES_MAX) return
    throw this.refused(
      `Changes came faster than it could be read and followed, ${LOSSES_MAX} times in a row.`,
    )
  }

  /** It costs too much: what it used is remembered, and it is not opened again at once. @param hint @default the error table's */
  refused(happened: string, hint?: string): RowcastError {
    if (this.#monotonicMs() - this.#refusedUntilMs > REFUSED_MAX_MS) this.#refusals = 0
    const pauseMs = Math.min(REFUSED_MS * 2 ** this.#refusals, REFUSED_MAX_MS)
    this.#refusals += 1
    this.#refusedUntilMs = this.#monotonicMs() + pauseMs
    return new RowcastError('LIST_TOO_COSTLY', happened, { hint, details: { retryAfterMs: pauseMs } })
  }
}
