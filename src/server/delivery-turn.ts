/**
 * Stage 8, server. When frames are written: once all that one turn of the event loop brought has been handed to the
 * subscriptions, so that each socket gets it in one piece. With many sockets others have their turn in between.
 */
import type { Guard } from '../guard.ts'

/** Something that has frames to write. */
export interface Flushable {
  /** Writes what there is. */
  flush(): void
  /** Writing has failed half-way: nothing that was left may reach anybody else. */
  abandon(): void
}

/** The turns of a server. */
export interface DeliveryTurn {
  /** Has it flushed at the end of this turn. Once is enough until it is flushed. */
  add(flushable: Flushable): void
  /** Whether anything waits to be flushed. */
  readonly isBusy: boolean
}

/** The longest that others wait, and how many are flushed between two looks at the clock. */
const TURN_MS = 8
const FLUSHED_AT_ONCE = 16

/** Creates the turns. A flushable that throws costs the others nothing. */
export function createDeliveryTurn(guard: Guard): DeliveryTurn {
  let waiting: Flushable[] = []
  let head = 0

  function flush(): void {
    const untilMs = performance.now() + TURN_MS
    // What is added meanwhile waits for the next turn.
    const last = waiting.length
    do {
      const end = Math.min(last, head + FLUSHED_AT_ONCE)
      while (head < end) {
        const flushable = waiting[head]
        head += 1
        if (flushable !== undefined) flushGuarded(flushable)
      }
    } while (head < last && performance.now() < untilMs)
    if (head < waiting.length) {
      setImmediate(guardedFlush)
      return
    }
    waiting = []
    head = 0
  }

  function flushGuarded(flushable: Flushable): void {
    try {
      flushable.flush()
    } catch (error) {
      guard.run('write frames', () => {
        flushable.abandon()
        throw error
      })
    }
  }

  const guardedFlush = guard.wrap('flush a turn', flush)

  return {
    add(flushable) {
      waiting.push(flushable)
      // A microtask: after the reader of the replication stream has handled all that it was given.
      if (waiting.length === 1) queueMicrotask(guardedFlush)
    },
    get isBusy() {
      return waiting.length > 0
    },
  }
}
