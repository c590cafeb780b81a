/** Beside the spine, client. What a live list follows between two times that it is loaded. */

/** From one cursor until the list is loaded again. */
export class Round {
  readonly #ending = new AbortController()
  readonly #outer: AbortSignal
  readonly #onOuter = () => this.end()
  isReloading = false
  /** The cursor of the next round, once the list has been loaded again. */
  next: string | null = null

  constructor(outer: AbortSignal) {
    this.#outer = outer
    outer.addEventListener('abort', this.#onOuter)
    if (outer.aborted) this.end()
  }

  get signal(): AbortSignal {
    return this.#ending.signal
  }

  end(next: string | null = null): void {
    if (this.signal.aborted) return
    this.next = next
    this.#outer.removeEventListener('abort', this.#onOuter)
    this.#ending.abort()
  }
}
