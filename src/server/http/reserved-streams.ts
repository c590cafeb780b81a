/**
 * Stage 8, server. The result streams that are open over HTTP, so that each of them can be ended with a last
 * word instead of a cut connection: one when its session is over, all when the server stops.
 */
import { DONE } from '../../async-iteration.ts'

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
      const stream = createOpenStream(source, onClosed, () => listener.onEnding?.())
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

/**
 * Not `Promise.race` against one long-lived promise: each race would leave a reaction on it, and a stream
 * of a million values a million of them.
 */
function createOpenStream<T>(
  source: AsyncIterable<T>,
  onClosed: () => void,
  onEnding: () => void,
): OpenStream<T> {
  const from = source[Symbol.asyncIterator]()
  let last: { readonly value: T | null } | null = null
  let isClosed = false
  let wakePending: (() => void) | null = null

  const close = (): void => {
    if (isClosed) return
    isClosed = true
    onClosed()
  }
  const takeLast = (): IteratorResult<T> => {
    if (last === null || isClosed) return DONE
    close()
    return last.value === null ? DONE : { done: false, value: last.value }
  }
  const next = (): Promise<IteratorResult<T>> => {
    if (isClosed || last !== null) return Promise.resolve(takeLast())
    return new Promise((resolve, reject) => {
      wakePending = () => resolve(takeLast())
      const take = (result: IteratorResult<T>): void => {
        wakePending = null
        if (result.done) close()
        resolve(result.done ? DONE : result)
      }
      const fail = (error: unknown): void => {
        wakePending = null
        reject(error)
        close()
      }
      // What closing throws is the stream's end as well, and nobody else's.
      from.next().then(take, fail).catch(reject)
    })
  }
  const stop = async (): Promise<IteratorResult<T>> => {
    close()
    wakePending?.()
    await from.return?.()
    return DONE
  }
  const iterator: AsyncGenerator<T> = {
    next,
    return: stop,
    async throw(error: unknown) {
      await stop()
      throw error
    },
    [Symbol.asyncIterator]: () => iterator,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
  return {
    iterator,
    end(value) {
      if (last === null && !isClosed) onEnding()
      last ??= { value }
      wakePending?.()
      // The source is notified at once: its queue need not wait for a client that reads no more.
      from.return?.().catch(() => undefined)
    },
  }
}
