/** Beside the spine, client. What a list shows, and who is called where it differs. */

/** State that is replaced, never changed in place; those who listen are called once for all that differs in one turn. */
export class ShownState<State extends object> {
  readonly #listeners = new Set<() => void>()
  #value: State
  #isAnnounced = false

  constructor(value: State) {
    this.#value = value
  }

  get value(): State {
    return this.#value
  }

  /** Bound: it goes to a framework as it is. */
  readonly listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  change(next: Partial<State>): void {
    this.#value = { ...this.#value, ...next }
    if (this.#isAnnounced) return
    this.#isAnnounced = true
    // Many changes at once are one picture.
    setTimeout(() => {
      this.#isAnnounced = false
      this.#call()
    })
  }

  /** Calls all that are still there; where one throws, the others are called all the same, and its error is an uncaught one. */
  #call(): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue
      try {
        listener()
      } catch (error) {
        setTimeout(() => {
          throw error
        })
      }
    }
  }
}

/** What is shown until it ends: lists, and changes that are followed. Whoever extends it has `listen` and `stop`, and ends once. */
export abstract class Shown<State extends { readonly status: string; readonly error: unknown }> {
  protected readonly ending = new AbortController()
  protected readonly shown: ShownState<State>
  /** Bound: it goes to a framework as it is. */
  readonly listen: ShownState<State>['listen']

  constructor(first: State) {
    this.shown = new ShownState(first)
    this.listen = this.shown.listen
  }

  get state(): State {
    return this.shown.value
  }

  stop(): void {
    this.end(null)
  }

  /** @param error why; null where it was stopped, or the server had no more */
  protected end(error: unknown): void {
    if (this.ending.signal.aborted) return
    this.ending.abort()
    const ended: Partial<{ status: string; error: unknown }> = { status: 'ended', error }
    this.shown.change(ended as Partial<State>)
  }
}
