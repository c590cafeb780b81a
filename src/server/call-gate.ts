/**
 * Stage 8, server. Calls of a user's function that clients cause: so many at once, the others in order, and nobody waits
 * longer than a bound.
 */

/** Lets calls through. */
export interface CallGate {
  /**
   * Calls the function once there is room for it.
   * @throws what `onTimeout` makes, when there is no answer within the bound; the place of the call is kept until it ends
   */
  run<T>(call: () => T | Promise<T>, onTimeout: () => Error): Promise<T>
}

/** Its bounds. */
export interface CallGateOptions {
  /** Calls at once. */
  readonly callsMax: number
  /** For waiting and answering together. */
  readonly timeoutMs: number
}

/** Calls that wait for room; what comes beyond them is as good as late. */
const WAITING_MAX = 10_000
/** A call that never ends gives its place back: else so many of them would lock everybody out for good. */
const PLACE_HELD_MAX_MS = 60_000

/** Creates a gate. */
export function createCallGate({ callsMax, timeoutMs }: CallGateOptions): CallGate {
  const waiting = new Set<() => void>()
  let running = 0

  function leave(): void {
    running -= 1
    const [next] = waiting
    if (next === undefined) return
    waiting.delete(next)
    next()
  }

  /** Takes a place and returns what gives it back, once. */
  function enter(): () => void {
    running += 1
    let isHeld = true
    const release = (): void => {
      if (!isHeld) return
      isHeld = false
      clearTimeout(timer)
      leave()
    }
    const timer = setTimeout(release, PLACE_HELD_MAX_MS).unref()
    return release
  }

  return {
    run: (call, onTimeout) =>
      new Promise((resolve, reject) => {
        const begin = (): void => {
          const release = enter()
          // In a function of its own: what the call throws at once is a rejection, too.
          const answer = (async () => call())()
          answer.then(resolve, reject).finally(() => {
            release()
            clearTimeout(timer)
          })
        }
        const timer = setTimeout(() => {
          waiting.delete(begin)
          reject(onTimeout())
        }, timeoutMs)
        if (running < callsMax) begin()
        else if (waiting.size < WAITING_MAX) waiting.add(begin)
        else {
          clearTimeout(timer)
          reject(onTimeout())
        }
      }),
  }
}
