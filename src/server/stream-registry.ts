/**
 * Stage 8, server. The result streams that are open over HTTP, so that a stopping server can end each of
 * them with a last word instead of cutting the connection.
 */

/** Open streams that can be ended together. */
export interface StreamRegistry<T> {
  /** Passes the source through, and ends it with the last value when `end` is called. */
  track(source: AsyncIterable<T>): AsyncGenerator<T>
  /** Ends every stream, present and future, with `last`. */
  end(last: T): void
}

/** Creates an empty registry. */
export function createStreamRegistry<T>(): StreamRegistry<T> {
  const open = new Set<(last: T) => void>()
  let lastOfAll: { readonly value: T } | null = null
  return {
    track(source) {
      const stream = createEndableStream(source, () => open.delete(stream.end))
      open.add(stream.end)
      if (lastOfAll !== null) stream.end(lastOfAll.value)
      return stream.iterator
    },
    end(last) {
      lastOfAll = { value: last }
      for (const endStream of [...open]) endStream(last)
    },
  }
}

interface EndableStream<T> {
  readonly iterator: AsyncGenerator<T>
  readonly end: (last: T) => void
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined }

/**
 * Not `Promise.race` against one long-lived promise: each race would leave a reaction on it, and a stream
 * of a million values a million of them.
 */
function createEndableStream<T>(source: AsyncIterable<T>, onClosed: () => void): EndableStream<T> {
  const from = source[Symbol.asyncIterator]()
  let last: { readonly value: T } | null = null
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
    return { done: false, value: last.value }
  }
  const next = (): Promise<IteratorResult<T>> => {
    if (isClosed || last !== null) return Promise.resolve(takeLast())
    return new Promise((resolve, reject) => {
      wakePending = () => resolve(takeLast())
      from.next().then(
        (result) => {
          wakePending = null
          if (result.done) close()
          resolve(result.done ? DONE : result)
        },
        (error: unknown) => {
          wakePending = null
          close()
          reject(error)
        },
      )
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
      last = { value }
      wakePending?.()
      // The source is told at once: its queue need not wait for a client that reads no more.
      from.return?.().catch(() => undefined)
    },
  }
}
