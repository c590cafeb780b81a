/**
 * Stage 8, server. Answers and event streams over HTTP that their clients have not taken: they count for what all sockets may
 * hold back, as the frames of WebSockets do. One answer is of bounded length; how many connections ask for one is their choice.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from '../guard.ts'
import { CountedSocket } from './counted-socket.ts'
import type { SocketBudget } from './socket-budget.ts'

/** A connection that has been answered. */
class AnsweredConnection extends CountedSocket {
  readonly #socket: Socket

  constructor(socket: Socket, budget: SocketBudget) {
    super(budget)
    this.#socket = socket
  }

  protected override unsentBytes(): number {
    return this.#socket.writableLength
  }

  protected override terminate(): void {
    this.#socket.destroy()
  }
}

/** For the option `ServerResponse` of `createServer`: responses whose connections count. */
export function countResponses(budget: SocketBudget, guard: Guard): typeof ServerResponse {
  const connections = new WeakMap<Socket, AnsweredConnection>()

  function connectionOf(socket: Socket): AnsweredConnection {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const connection = new AnsweredConnection(socket, budget)
    connections.set(socket, connection)
    socket.on(
      'drain',
      guard.wrap('count what a connection took', () => connection.recount()),
    )
    socket.once(
      'close',
      guard.wrap('forget what a connection held', () => connection.forget()),
    )
    return connection
  }

  /** By its request: a response that is finished, or waits for the one before it, has no socket. */
  function recount({ req: { socket } }: ServerResponse): void {
    if (!socket.destroyed) connectionOf(socket).recount()
  }

  return class CountedResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    override write(chunk: unknown, ...rest: never[]): boolean {
      const hasRoom = super.write(chunk, ...rest)
      recount(this)
      return hasRoom
    }

    override end(...args: never[]): this {
      const recountThis = guard.wrap('count what a response held', () => recount(this))
      // Of little that waits Node.js says only then that it was taken.
      this.once('finish', recountThis)
      super.end(...args)
      recountThis()
      return this
    }
  }
}
