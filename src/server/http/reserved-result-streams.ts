/**
 * Stage 8, server. The result streams that are open over HTTP, so that each of them can be ended with a last
 * word instead of a cut connection: one when its session is over, all when the server stops.
 */
import { DONE } from '../../async-iteration.ts'
import { AsyncGeneration } from '../async-generation.ts'

/** One open stream. */
export interface OpenStream<T> {
  readonly iterator: AsyncGenerator<T>
  /** Ends it, with a last value when there is one. */
  end(last: T | null): void
}

/** Open streams that can be ended together. */
export interface StreamRegistry<T> {
  /** Open streams. */
  readonly size: number
  /** Passes the source through until it ends or is ended. */
  track(source: AsyncIterable<T>, listener?: StreamListener): OpenStream<T>
  /** Ends every stream, present and future, with `last`; resolves when whoever reads them has come to it. */
  end(last: T): Promise<void>
}

/** What is to be known of a stream by whoever holds something for it. */
export interface StreamListener {
  /** It was ended by others than its source: `last` waits for whoever reads, if anybody does. Called once at the most. */
  onEnding?(): void
  /** Called once, however it ends. */
  onClosed?(): void
}

/** Creates an empty registry. */
export function createStreamRegistry<T>(): StreamRegistry<T> {
  const open = new Set<OpenStream<T>>()
  let lastOfAll: { readonly value: T } | null = null
  const waiting = new Set<() => void>()
  return {
    get size() {
      return open.size
    },
    track(source, listener = {}) {
      const onClosed = (): void => {
        open.delete(stream)
        listener.onClosed?.()
        if (open.size === 0) for (const resolve of waiting) resolve()
      }
      const iterator = new OpenIteration(source, { onClosed, onEnding: () => listener.onEnding?.() })
      const stream: OpenStream<T> = { iterator, end: (last) => iterator.end(last) }
      open.add(stream)
      if (lastOfAll !== null) stream.end(lastOfAll.value)
      return stream
    },
    end(last) {
      lastOfAll = { value: last }
      for (const stream of [...open]) stream.end(last)
      return new Promise((resolve) => {
        if (open.size === 0) resolve()
        else waiting.add(resolve)
      })
    },
  }
}

/** A source passed through, up to its own end or that which others give it. */
class OpenIteration<T> extends AsyncGeneration<T> {
  readonly #from: AsyncIterator<T>
  readonly #listener: Required<StreamListener>
  #last: { readonly value: T | null } | null = null
  #isClosed = false
  #wakePending: (() => void) | null = null

  constructor(source: AsyncIterable<T>, listener: Required<StreamListener>) {
    super()
    this.#from = source[Symbol.asyncIterator]()
    this.#listener = listener
  }

  /**
   * Not `Promise.race` against one long-lived promise: each race would leave a reaction on it, and a stream
   * of a million values a million of them.
   */
  next(): Promise<IteratorResult<T>> {
    if (this.#isClosed || this.#last !== null) return Promise.resolve(this.#takeLast())
    return new Promise((resolve, reject) => {
      this.#wakePending = () => resolve(this.#takeLast())
      const take = (result: IteratorResult<T>): void => {
        this.#wakePending = null
        if (result.done) this.#close()
        resolve(result.done ? DONE : result)
      }
      const fail = (error: unknown): void => {
        this.#wakePending = null
        reject(error)
        this.#close()
      }
      // What closing throws is the stream's end as well, and nobody else's.
      this.#from.next().then(take, fail).catch(reject)
    })
  }

  async return(): Promise<IteratorResult<T>> {
    this.#close()
    this.#wakePending?.()
    await this.#from.return?.()
    return DONE
  }

  end(value: T | null): void {
    if (this.#last === null && !this.#isClosed) this.#listener.onEnding()
    this.#last ??= { value }
    this.#wakePending?.()
    // The source is notified at once: its queue need not wait for a client that reads no more.
    this.#from.return?.().catch(() => undefined)
  }

  #takeLast(): IteratorResult<T> {
    if (this.#last === null || this.#isClosed) return DONE
    this.#close()
    return this.#last.value === null ? DONE : { done: false, value: this.#last.value }
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#listener.onClosed()
  }
}
