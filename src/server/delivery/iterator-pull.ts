/** Stage 8, server. Any async iterator as a thing that gives what is there: one value ahead, asked for on demand. */
import type { DeliveryPull } from '../../bus/bus.ts'

/** A source without a pull of its own, with one. */
export interface PulledIterator {
  /** Its values, of whatever kind, as deliveries. */
  readonly pull: DeliveryPull<unknown>
  /** How it ended, once the pull says so. */
  end(): Promise<void>
}

/** Pulls from an iterator; nothing else may ask it for values. */
export function pullFrom(iterator: AsyncIterator<unknown>): PulledIterator {
  let ahead: unknown
  let isAsked = false
  let end: Promise<void> | null = null

  async function ask(): Promise<void> {
    isAsked = true
    try {
      const result = await iterator.next()
      if (result.done === true) end = Promise.resolve()
      else ahead = result.value
    } catch (error) {
      end = Promise.reject(error)
      // Whoever asks for the end learns of it; nobody may ask.
      end.catch(() => undefined)
    }
    isAsked = false
    pull.reader?.onReadable()
  }

  const pull: DeliveryPull<unknown> = {
    reader: null,
    get isEnded() {
      return end !== null
    },
    take() {
      const value = ahead
      ahead = undefined
      if (value === undefined && !isAsked && end === null) void ask()
      return value
    },
  }
  return { pull, end: () => end ?? Promise.resolve() }
}
