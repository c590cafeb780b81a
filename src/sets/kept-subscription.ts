/**
 * Beside the spine, sets. One subscription to what is kept for many. Whoever leaves too much waiting gets it whole once more, instead of all the
 * steps on the way: nothing is lost, and nothing grows.
 */
import { DONE, SerialIteration } from '../async-iteration.ts'
import { onAborted } from '../wire/shared-listener.ts'

/** Patches that may wait. */
const WAITING_MAX = 256

/** Where it is at home. */
export interface KeptHome<Event> {
  /** What there is, whole; null where that is not known yet: then it is given. */
  readonly snapshot: () => Event | null
  readonly leave: () => void
}

/** One of them. */
export class KeptSubscription<Event> extends SerialIteration<Event> {
  readonly #home: KeptHome<Event>
  #waiting: Event[] = []
  /** What comes next is the whole. */
  #needsWhole = true
  #end: { readonly error: unknown } | 'normal' | null = null
  #wake: () => void = () => {}
  #forgetSignal = (): void => {}

  constructor(home: KeptHome<Event>) {
    super()
    this.#home = home
  }

  /** The signal ends it. */
  endOn(signal: AbortSignal): void {
    this.#forgetSignal = onAborted(signal, () => void this.return())
  }

  /** A patch; for whoever waits for the whole, it is part of that. */
  offer(patch: Event): void {
    if (this.#needsWhole || this.#end !== null) return
    this.#waiting.push(patch)
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting = []
      this.#needsWhole = true
    }
    this.#wake()
  }

  /** The whole, for whoever waits for it. */
  give(whole: Event): void {
    if (!this.#needsWhole || this.#end !== null) return
    this.#needsWhole = false
    this.#waiting = [whole]
    this.#wake()
  }

  /** Nothing comes any more; with an error where one ended it. */
  end(failure: { readonly error: unknown } | null): void {
    this.#end ??= failure ?? 'normal'
    this.#forgetSignal()
    this.#wake()
  }

  return(): Promise<IteratorResult<Event>> {
    this.#waiting = []
    this.#needsWhole = false
    this.#end = 'normal'
    this.#forgetSignal()
    this.#home.leave()
    this.#wake()
    return Promise.resolve(DONE)
  }

  protected async following(): Promise<IteratorResult<Event>> {
    for (;;) {
      const event = this.#take()
      if (event !== null) return { done: false, value: event }
      if (this.#end === 'normal') return DONE
      if (this.#end !== null) {
        const { error } = this.#end
        this.#end = 'normal'
        throw error
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #take(): Event | null {
    if (!this.#needsWhole) return this.#waiting.shift() ?? null
    const whole = this.#home.snapshot()
    if (whole !== null) this.#needsWhole = false
    return whole
  }
}
