/**
 * Stage 8, server. When frames are written: once all that one turn of the event loop brought has been handed to the
 * subscriptions, so that each socket gets it in one piece. With many sockets others have their turn in between.
 */

/** Something that has frames to write. */
export interface Flushable {
  /** Writes what there is. Must not throw. */
  flush(): void
}

/** The turns of a server. */
export interface DeliveryTurn {
  /** Has it flushed at the end of this turn. Once is enough until it is flushed. */
  add(flushable: Flushable): void
  /** Whether anything waits to be flushed. */
  readonly isBusy: boolean
}

/** Flushed at once at most: some milliseconds of work. */
const FLUSHED_AT_ONCE_MAX = 512

/** Creates the turns. */
export function createDeliveryTurn(): DeliveryTurn {
  let waiting: Flushable[] = []
  let head = 0

  function flush(): void {
    const end = Math.min(waiting.length, head + FLUSHED_AT_ONCE_MAX)
    while (head < end) {
      const flushable = waiting[head]
      head += 1
      flushable?.flush()
    }
    if (head < waiting.length) {
      setImmediate(flush)
      return
    }
    waiting = []
    head = 0
  }

  return {
    add(flushable) {
      waiting.push(flushable)
      // A microtask: after the reader of the replication stream has handled all that it was given.
      if (waiting.length === 1) queueMicrotask(flush)
    },
    get isBusy() {
      return waiting.length > 0
    },
  }
}
