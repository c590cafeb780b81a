/**
 * Stage 8, server. Requests that a client sends before the last one is answered, without waiting: RFC 9112, section 9.3.2,
 * "Pipelining". Their answers have to wait for each other, and Node.js never says of one that waits that its client has
 * left: what it began would go on for ever. So that each is begun when the one before it has been answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from '../../guard.ts'

/** Answers a request; never throws. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void

/** Requests of one connection that wait; a client that sends more of them is cut. */
const WAITING_MAX = 64

/** The same listener, called for one request of a connection after the other. @param guarded never throws */
export function inTurns(guarded: RequestListener, guard: Guard): RequestListener {
  const waiting = new WeakMap<Socket, number>()
  const cut = (_failure: unknown, { socket }: IncomingMessage) => socket.destroy()
  const take: RequestListener = (request, response) => {
    // A response has the socket once it is its turn.
    if (response.socket !== null) return guarded(request, response)
    const { socket } = request
    const count = waiting.get(socket) ?? 0
    if (count >= WAITING_MAX) {
      socket.destroy()
      return
    }
    waiting.set(socket, count + 1)
    const begin = (): void => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1)
      guarded(request, response)
    }
    const guardedBegin = guard.wrap('begin a request', begin, () => socket.destroy())
    response.once('socket', guardedBegin)
  }
  return guard.wrap('take a request', take, cut)
}
