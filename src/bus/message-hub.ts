/**
 * Stage 6, bus. What applications wrote with `pg_logical_emit_message`, to those who listen: each with a bounded
 * queue of its own, and nothing is kept for those who are not there.
 */
import { mapIterator } from '../async-iteration.ts'
import { AsyncQueue } from '../async-queue.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { RowcastError } from '../errors.ts'
import { createGuard, type Guard } from '../guard.ts'
import { silentLogger } from '../logger.ts'
import { endOnAbort } from './abort-listeners.ts'
import { callAll } from './call-all.ts'
import { serverStandingBy } from './server-stopping.ts'

/** What a listener asks for. */
export interface MessageRequest {
  /** Only messages with exactly this prefix. @default all */
  readonly prefix?: string | undefined
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
}

/** Hands messages on. */
export interface MessageHub {
  /** @returns whether anybody listens to it */
  publish(message: EmittedMessage): boolean
  /** Live from this call on. */
  listen(request: MessageRequest): AsyncIterableIterator<EmittedMessage>
  /** Ends all iterations: normally, or with the error given. */
  close(error?: Error): void
  /** Ends all iterations, present and future, with an error of its own. */
  stop(errorOf: () => Error): void
  /** The same with SERVER_STANDING_BY, until this is over. */
  standAside(isAside: boolean): void
}

/** One listener's waiting messages. */
class MessageQueue extends AsyncQueue<EmittedMessage> {
  readonly #lengthMax: number
  readonly #onEnd: () => void

  constructor(lengthMax: number, onEnd: () => void) {
    super()
    this.#lengthMax = lengthMax
    this.#onEnd = onEnd
  }

  override push(message: EmittedMessage): void {
    if (this.isEnded) return
    if (this.length < this.#lengthMax) {
      super.push(message)
      return
    }
    const happened = `A listener left ${this.#lengthMax} messages waiting.`
    this.end(
      new RowcastError('SUBSCRIBER_TOO_SLOW', happened, { details: { queueLengthMax: this.#lengthMax } }),
    )
  }

  /** What waits is still delivered before a normal end, dropped before an error. */
  override end(failure: Error | null = null): void {
    if (this.isEnded) return
    if (failure !== null) this.clear()
    this.#onEnd()
    super.end(failure)
  }
}

/** Made as it is taken: what one listener does to it, no other sees. */
function ownMessage(message: EmittedMessage): EmittedMessage {
  return { ...message, content: new Uint8Array(message.content) }
}

/** Creates a hub whose listeners may each leave `queueLengthMax` messages waiting. */
export function createMessageHub(
  queueLengthMax: number,
  guard: Guard = createGuard(silentLogger),
): MessageHub {
  const listeners = new Map<MessageQueue, string | undefined>()
  /** Of those that come once nothing does any more. */
  let farewell: (() => Error) | null = null
  let isAside = false
  const dueEnd = (): Error | null => farewell?.() ?? (isAside ? serverStandingBy(null) : null)
  return {
    publish(message) {
      const listening = [...listeners].filter(([, prefix]) => (prefix ?? message.prefix) === message.prefix)
      for (const [queue] of listening) queue.push(message)
      return listening.length > 0
    },
    listen({ prefix, signal }) {
      let forgetSignal = (): void => {}
      const queue: MessageQueue = new MessageQueue(queueLengthMax, () => {
        listeners.delete(queue)
        forgetSignal()
      })
      listeners.set(queue, prefix)
      forgetSignal = endOnAbort(queue, signal, guard)
      const end = dueEnd()
      if (end !== null) queue.end(end)
      return mapIterator(queue, ownMessage)
    },
    close(error) {
      callAll([...listeners.keys()], (queue) => queue.end(error ?? null))
    },
    stop(errorOf) {
      farewell = errorOf
      callAll([...listeners.keys()], (queue) => queue.end(errorOf()))
    },
    standAside(isStandingAside) {
      isAside = isStandingAside
      if (isAside) callAll([...listeners.keys()], (queue) => queue.end(dueEnd()))
    },
  }
}
