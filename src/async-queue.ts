/** Beside the spine. What has come and waits to be taken, in order, by whoever iterates it. Who fills it bounds it. */
import { DONE, SerialIteration } from './async-iteration.ts'

/** A queue without a bound of its own. */
export class AsyncQueue<T> extends SerialIteration<T> {
  #values: T[] = []
  /** Set while somebody waits for a value. */
  #wake: (() => void) | null = null
  #ended: { readonly failure: unknown } | null = null

  /** Values that wait. */
  get length(): number {
    return this.#values.length
  }

  get isEnded(): boolean {
    return this.#ended !== null
  }

  /** Behind its end nothing is taken. */
  push(value: T): void {
    if (this.#ended !== null) return
    this.#values.push(value)
    this.#wake?.()
  }

  /** Ends it behind what waits: normally with null, or with a failure, which is reported once. The first end counts. */
  end(failure: unknown = null): void {
    this.#ended ??= { failure }
    this.#wake?.()
  }

  /** Forgets what waits. */
  clear(): void {
    this.#values = []
  }

  protected async following(): Promise<IteratorResult<T>> {
    while (this.#values.length === 0 && this.#ended === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    if (this.#values.length > 0) return { done: false, value: this.#values.shift() as T }
    const failure = this.#ended?.failure ?? null
    // Whoever asks again finds the end, as with any async generator.
    this.#ended = { failure: null }
    if (failure !== null) throw failure
    return DONE
  }

  async return(): Promise<IteratorResult<T>> {
    this.clear()
    this.end()
    // Nobody is there for its failure.
    this.#ended = { failure: null }
    return DONE
  }
}
