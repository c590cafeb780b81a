/** Stage 1, wire. Many who end with one signal. */

/** Those that wait for one signal. */
interface Waiting {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

const waitingFor = new WeakMap<AbortSignal, Waiting>()

/**
 * Calls back when the signal is aborted, at once where it is already; returns what takes that back. All of one signal share one listener, which goes
 * with the last of them: a signal that ends eleven subscriptions is ordinary, and Node.js warns of a leak at eleven. What a
 * callback throws keeps none of the others from being called, and ends the process: give it a guarded one.
 */
export function onAborted(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback()
    return () => {}
  }
  const waiting = waitingFor.get(signal) ?? beginWaiting(signal)
  const own = (): void => callback()
  waiting.callbacks.add(own)
  return () => {
    if (waiting.callbacks.delete(own) && waiting.callbacks.size === 0) endWaiting(signal, waiting)
  }
}

function beginWaiting(signal: AbortSignal): Waiting {
  const callbacks = new Set<() => void>()
  const listener = (): void => {
    const called = [...callbacks]
    callbacks.clear()
    endWaiting(signal, waiting)
    let failure: { readonly error: unknown } | null = null
    for (const callback of called) {
      try {
        callback()
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== null) throw failure.error
  }
  const waiting = { callbacks, listener }
  waitingFor.set(signal, waiting)
  signal.addEventListener('abort', listener)
  return waiting
}

function endWaiting(signal: AbortSignal, { listener }: Waiting): void {
  waitingFor.delete(signal)
  signal.removeEventListener('abort', listener)
}
