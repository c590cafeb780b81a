/**
 * Stage 8, server. Answers and event streams over HTTP that their clients have not taken: they count for what all sockets may
 * hold back, as the frames of WebSockets do. One answer is of bounded length; how many connections ask for one is their choice.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from '../../guard.ts'
import { CountedSocket, takenBytesOf } from './counted-socket.ts'
import type { SocketBudget } from './socket-budget.ts'

const EMPTY = Buffer.alloc(0)

/** A connection that has been answered. */
class AnsweredConnection extends CountedSocket {
  readonly #socket: Socket
  readonly #onTaken: () => void
  #isWatched = false

  constructor(socket: Socket, budget: SocketBudget, guard: Guard) {
    super(budget)
    this.#socket = socket
    this.#onTaken = guard.wrap('count what a connection took', () => {
      this.#isWatched = false
      this.watch()
    })
  }

  /**
   * Counts what it holds, and again once that was taken. Of little that waits Node.js does not say so by itself, and every piece
   * of a response waits until the end of its turn.
   */
  watch(): void {
    this.recount()
    const { destroyed, writableEnded } = this.#socket
    if (this.heldBytes === 0 || this.#isWatched || destroyed || writableEnded) return
    this.#isWatched = true
    this.#socket.write(EMPTY, this.#onTaken)
  }

  protected override unsentBytes(): number {
    return this.#socket.writableLength
  }

  protected override takenBytes(): number {
    return takenBytesOf(this.#socket)
  }

  protected override terminate(): void {
    this.#socket.destroy()
  }
}

/** Counts what the connection of a response holds, each time it is called. */
function createRecount(budget: SocketBudget, guard: Guard): (response: ServerResponse) => void {
  const connections = new WeakMap<Socket, AnsweredConnection>()

  function connectionOf(socket: Socket): AnsweredConnection {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const connection = new AnsweredConnection(socket, budget, guard)
    connections.set(socket, connection)
    socket.once(
      'close',
      guard.wrap('forget what a connection held', () => connection.forget()),
    )
    return connection
  }

  /** By its request: a response that is finished, or waits for the one before it, has no socket. Whoever writes is not ours. */
  return guard.wrap('count what an answer holds', ({ req: { socket } }: ServerResponse) => {
    if (!socket.destroyed) connectionOf(socket).watch()
  })
}

/** For the option `ServerResponse` of `createServer`: responses whose connections count. */
export function countResponses(budget: SocketBudget, guard: Guard): typeof ServerResponse {
  const recount = createRecount(budget, guard)
  return class CountedResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    override write(chunk: unknown, ...rest: never[]): boolean {
      const hasRoom = super.write(chunk, ...rest)
      recount(this)
      return hasRoom
    }

    override end(...args: never[]): this {
      super.end(...args)
      recount(this)
      return this
    }
  }
}

/** Has the connections of responses count that a server of somebody else made. Those of HTTP/2 share one, and do not. */
export function countForeignResponses(
  budget: SocketBudget,
  guard: Guard,
): (response: ServerResponse) => void {
  const recount = createRecount(budget, guard)
  return (response) => {
    if (!(response instanceof ServerResponse)) return
    const { write, end } = response
    response.write = (...args: unknown[]) => {
      const hasRoom = Reflect.apply(write, response, args)
      recount(response)
      return hasRoom
    }
    response.end = (...args: unknown[]) => {
      Reflect.apply(end, response, args)
      recount(response)
      return response
    }
  }
}
