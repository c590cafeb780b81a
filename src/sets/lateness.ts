/**
 * Beside the spine, sets. How late what is shown is: how long a change has been here that it lacks, beyond the time that
 * patches wait anyway. It is measured, and ends nothing: the stream, the database or other lists may be what it waits for.
 */
import type { KeptSetParts } from './kept-parts.ts'

type Parts = Pick<KeptSetParts<never, never, never>, 'everyMs' | 'monotonicMs'>

/** That of one kept set. */
export class Lateness {
  readonly #parts: Parts
  /** All that had come by then has been taken. */
  #takenAtMs: number
  /** When the first change came that is not shown. */
  #sinceMs: number | null = null
  /** The first of those that are not in what was read last. */
  #sinceReadMs: number | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    this.#takenAtMs = parts.monotonicMs()
  }

  /** Beyond `every`; 0 where it shows all that has come. */
  get ms(): number {
    const { everyMs, monotonicMs } = this.#parts
    return this.#sinceMs === null ? 0 : Math.max(0, monotonicMs() - this.#sinceMs - everyMs)
  }

  /** Nothing waits to be taken. */
  noteTaken(): void {
    this.#takenAtMs = this.#parts.monotonicMs()
  }

  /** Something was taken that is not shown: it came after all was taken last. */
  noteChange(): void {
    this.#sinceMs ??= this.#takenAtMs
    this.#sinceReadMs ??= this.#takenAtMs
  }

  /**
   * It has been read, and nothing was taken meanwhile. What came before the read began is in it: one that waited for others before it
   * began has that, too, and what it lacks has not waited for as long.
   */
  noteRead(tookMs: number): void {
    this.#sinceReadMs = null
    this.#takenAtMs = Math.max(this.#takenAtMs, this.#parts.monotonicMs() - tookMs)
  }

  /** @param isAll whether it shows all that has come, and not only what was read. @returns how late it was */
  noteShown(isAll: boolean): number {
    const late = this.ms
    this.#sinceMs = isAll ? null : this.#sinceReadMs
    if (isAll) this.#sinceReadMs = null
    return late
  }
}
