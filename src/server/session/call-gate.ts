/**
 * Stage 8, server. Calls of a user's functions that clients cause: so many at once, the others in order, and nobody waits
 * longer than a bound.
 */

import type { Guard } from '../../guard.ts'

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
  /** Whether the time runs from the beginning of the call only: then whoever waits has its turn, however late. @default false */
  readonly isWaitingFree?: boolean | undefined
  /** A call that never ends gives its place back: else so many of them would lock everybody out for good. @default 60_000 // 1 min */
  readonly placeHeldMaxMs?: number | undefined
  /** Calls that wait for room; what comes beyond them is as good as late. @default 10_000 */
  readonly waitingMax?: number | undefined
  readonly guard: Guard
}

/** Creates a gate. */
export function createCallGate(options: CallGateOptions): CallGate {
  const {
    callsMax,
    timeoutMs,
    isWaitingFree = false,
    placeHeldMaxMs = 60_000,
    waitingMax = 10_000,
    guard,
  } = options
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
    const timer = setTimeout(guard.wrap('give a place back', release), placeHeldMaxMs).unref()
    return release
  }

  return {
    run: (call, onTimeout) =>
      new Promise((resolve, reject) => {
        let timer: NodeJS.Timeout | undefined
        const late = (): void => {
          waiting.delete(begin)
          reject(onTimeout())
        }
        const startTime = (): void => {
          timer ??= setTimeout(guard.wrap('end a call that is late', late), timeoutMs).unref()
        }
        const begin = (): void => {
          const release = enter()
          startTime()
          // In a function of its own: what the call throws at once is a rejection, too.
          const answer = (async () => call())()
          const end = guard.wrap('end a call', () => {
            clearTimeout(timer)
            release()
          })
          answer.then(resolve, reject).finally(end)
        }
        if (!isWaitingFree) startTime()
        if (running < callsMax) begin()
        else if (waiting.size < waitingMax) waiting.add(begin)
        else {
          clearTimeout(timer)
          reject(onTimeout())
        }
      }),
  }
}
