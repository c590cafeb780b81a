/** Beside the spine, sets. What of a kept set has been shown to all, and what is still to be, where they are shown it no more often than they want to. */
import type { KeptSetParts, KeptState } from './kept-parts.ts'

type Parts<Shown> = Pick<KeptSetParts<never, Shown, never>, 'everyMs' | 'monotonicMs'>

/** That of one. */
export class KeptShowing<Shown> {
  readonly #parts: Parts<Shown>
  readonly #stateAt: (cursor: string) => KeptState<Shown>
  #state: KeptState<Shown> | null = null
  /** What there is, where that has not been shown to all yet: as whoever came meanwhile was given it. */
  #latest: KeptState<Shown> | null = null
  #held: KeptState<Shown> | null = null
  #shownAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: Parts<Shown>, stateAt: (cursor: string) => KeptState<Shown>) {
    this.#parts = parts
    this.#stateAt = stateAt
  }

  /** As it was shown to all. */
  get state(): KeptState<Shown> | null {
    return this.#state
  }

  /** It as it is, which all are still to be shown. */
  latestAt(boundary: string): KeptState<Shown> {
    if (this.#latest?.cursor !== boundary) this.#latest = this.#stateAt(boundary)
    return this.#latest
  }

  /** What is shown as soon as it is time to, though it is read again by then; null where that is known to be over. */
  hold(state: KeptState<Shown> | null): void {
    this.#held = state
  }

  /** The same of what there was at the last boundary, where all are still to be shown it. */
  holdLatest(): void {
    this.#held ??= this.#latest
  }

  /** @param boundary the one that it is at; null where it is at none */
  dueInMs(boundary: string | null): number {
    if ((this.#held ?? boundary) === null) return Number.POSITIVE_INFINITY
    return this.#state === null ? 0 : this.#shownAtMs + this.#parts.everyMs - this.#parts.monotonicMs()
  }

  /** What is to be shown now, if it is time to. */
  next(boundary: string | null): KeptState<Shown> | null {
    if (this.dueInMs(boundary) > 0) return null
    return this.#held ?? (boundary === null ? null : this.#stateAt(boundary))
  }

  /** It is what all are shown from now on. */
  note(state: KeptState<Shown>): void {
    this.#state = state
    this.#latest = null
    this.#held = null
  }

  /** Somebody was given something. */
  notePatch(): void {
    this.#shownAtMs = this.#parts.monotonicMs()
  }
}
