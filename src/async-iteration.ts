/** Beside the spine. What async iterators have in common: the end, an iterator that is its own iterable, one answer after the other, another's values. */

/** Nothing more comes. */
export const DONE: { readonly done: true; readonly value: undefined } = { done: true, value: undefined }

/** Something that gives values until it ends; `return` ends it when nobody wants them any more. */
export interface ValueSource<T> {
  next(): Promise<IteratorResult<T>>
  return?(): Promise<unknown>
}

/** An iterator that can be iterated. A class and no generator: a generator that waits for a value cannot be ended. */
export abstract class AsyncIteration<T> implements AsyncIterableIterator<T> {
  abstract next(): Promise<IteratorResult<T>>

  abstract return(): Promise<IteratorResult<T>>

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** One that answers one call after the other, for whoever asks again before the answer. */
export abstract class SerialIteration<T> extends AsyncIteration<T> {
  #before: Promise<unknown> = Promise.resolve()

  next(): Promise<IteratorResult<T>> {
    const answer = this.#before.then(() => this.following())
    this.#before = answer.catch(() => undefined)
    return answer
  }

  /** The next value; nobody else waits for one. */
  protected abstract following(): Promise<IteratorResult<T>>
}

/** Another's values, each as `map` makes it, and its failure as `failureOf` does. A class: there are many thousands of them. */
export class MappedIteration<From, To> extends AsyncIteration<To> {
  readonly #from: ValueSource<From>
  readonly #map: (value: From) => To
  readonly #failureOf: (error: unknown) => unknown

  constructor(
    from: ValueSource<From>,
    map: (value: From) => To,
    failureOf: (error: unknown) => unknown = (error) => error,
  ) {
    super()
    this.#from = from
    this.#map = map
    this.#failureOf = failureOf
  }

  async next(): Promise<IteratorResult<To>> {
    try {
      const result = await this.#from.next()
      return result.done === true ? DONE : { done: false, value: this.#map(result.value) }
    } catch (error) {
      throw this.#failureOf(error)
    }
  }

  async return(): Promise<IteratorResult<To>> {
    await this.#from.return?.()
    return DONE
  }
}

/** Each value as `map` makes it, one for one. */
export function mapIterator<From, To>(
  from: ValueSource<From>,
  map: (value: From) => To,
): AsyncIterableIterator<To> {
  return new MappedIteration(from, map)
}

/** The values of each list, one by one. */
export function flatIterator<From, To>(
  from: ValueSource<From>,
  listOf: (value: From) => readonly To[],
): AsyncIterableIterator<To> {
  return new FlatIteration(from, listOf)
}

class FlatIteration<From, To> extends SerialIteration<To> {
  readonly #from: ValueSource<From>
  readonly #listOf: (value: From) => readonly To[]
  #rest: Iterator<To> = [].values()

  constructor(from: ValueSource<From>, listOf: (value: From) => readonly To[]) {
    super()
    this.#from = from
    this.#listOf = listOf
  }

  async return(): Promise<IteratorResult<To>> {
    this.#rest = [].values()
    await this.#from.return?.()
    return DONE
  }

  protected async following(): Promise<IteratorResult<To>> {
    for (;;) {
      const next = this.#rest.next()
      if (next.done !== true) return next
      const list = await this.#from.next()
      if (list.done === true) return DONE
      this.#rest = this.#listOf(list.value).values()
    }
  }
}
