/**
 * Sets, between stages 6 and 7. What a subscription gives to whoever asks it: what is there, at once, and behind it what its loop gives.
 * One promise for each time that it is asked.
 */
import { DONE } from '../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../bus/bus.ts'

/** Somebody who waits for the next value. */
interface Asking<T> {
  resolve(result: IteratorResult<T>): void
  reject(error: unknown): void
}

/** Who gives the values. */
export interface AnswersSource<T> {
  /** The next one that has to be waited for; null at the end. */
  pull(): Promise<T | null>
  /** This one is given now. */
  onGiven(value: T): void
  /** Nothing comes any more, for this reason. */
  onFailed(error: unknown): void
}

/** So many values may wait for whoever asks; behind more, they are read from the log as they are taken. */
const READY_MAX = 64

/** Values in order, to whoever waits for each or takes what is there; not to both at one time. */
export class Answers<T> implements DeliveryPull<T> {
  reader: DeliveryReader | null = null
  readonly #source: AnswersSource<T>
  readonly #asking: Asking<T>[] = []
  /** What is there, before all that is still to be pulled. */
  readonly #ready: T[] = []
  #pulled: T | null = null
  #isPulling = false
  #isEnded = false
  #failure: Error | null = null

  constructor(source: AnswersSource<T>) {
    this.#source = source
  }

  /** How many are there that nobody has asked for yet. */
  get waiting(): number {
    return this.#ready.length
  }

  /** The first of these. */
  get first(): T | undefined {
    return this.#ready[0]
  }

  /** The first of these that may have to be read from the log again. */
  get needed(): T | undefined {
    return this.first
  }

  get isFull(): boolean {
    return this.waiting >= READY_MAX
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  take(): T | undefined {
    if (this.#asking.length > 0) return undefined
    const value = this.#next()
    if (value !== undefined) this.#source.onGiven(value)
    else if (!this.#isEnded) this.#pull()
    return value
  }

  next(): Promise<IteratorResult<T>> {
    const first = this.#asking.length === 0 && this.#ready.length > 0 ? this.#ready.shift() : undefined
    if (first !== undefined) {
      this.#source.onGiven(first)
      return Promise.resolve({ done: false, value: first })
    }
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject })
      this.#serve()
    })
  }

  /** Gives these before whatever the loop gives from now on. */
  offer(values: readonly T[]): void {
    if (this.#isEnded) return
    for (const value of values) {
      const isWanted = this.#asking.length > 0 && this.#ready.length === 0
      if (isWanted) this.#give(value)
      else this.#ready.push(value)
    }
    if (this.#ready.length > 0) this.reader?.onReadable()
  }

  /** Whatever is asked for is pulled then. */
  settle(): void {}

  /** Nothing more is given. Whoever asks first gets the failure. */
  end(failure: Error | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = failure
    this.#ready.length = 0
    this.#pulled = null
    this.#serve()
    this.reader?.onReadable()
  }

  /** Nobody wants to know why it ended. */
  forgetFailure(): void {
    this.#failure = null
  }

  #serve(): void {
    while (this.#asking.length > 0) {
      if (this.#isEnded) {
        this.#sayEnd(this.#asking.shift() as Asking<T>)
        continue
      }
      const value = this.#next()
      if (value === undefined) {
        this.#pull()
        return
      }
      this.#give(value)
    }
  }

  /** What is there, the oldest first. */
  #next(): T | undefined {
    return this.#ready.length === 0 ? this.#takePulled() : this.#ready.shift()
  }

  #takePulled(): T | undefined {
    const value = this.#pulled ?? undefined
    this.#pulled = null
    return value
  }

  #give(value: T): void {
    this.#source.onGiven(value)
    this.#asking.shift()?.resolve({ done: false, value })
  }

  #sayEnd({ resolve, reject }: Asking<T>): void {
    const failure = this.#failure
    this.#failure = null
    if (failure === null) resolve(DONE)
    else reject(failure)
  }

  #pull(): void {
    if (this.#isPulling) return
    this.#isPulling = true
    void this.#pullOne()
  }

  async #pullOne(): Promise<void> {
    try {
      const value = await this.#source.pull()
      this.#isPulling = false
      if (value === null) this.end(null)
      else if (!this.#isEnded) this.#pulled = value
      this.#serve()
      if (this.#pulled !== null) this.reader?.onReadable()
    } catch (error) {
      this.#source.onFailed(error)
    }
  }
}
