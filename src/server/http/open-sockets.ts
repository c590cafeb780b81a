/** Stage 8, server. The connections of an HTTP server, and how they end within a bound. */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { arrivals } from '../../bus/arrivals.ts'
import type { Guard } from '../../guard.ts'

/**
 * Connections that never asked for anything, as browsers open them in advance. Node.js counts them as busy,
 * and `close()` would wait for them.
 */
export function trackSilentSockets(http: Server, guard: Guard): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  const forget = guard.wrap('forget a connection', (socket: Socket) => sockets.delete(socket))
  const add = guard.wrap('note a connection', (socket: Socket) => {
    sockets.add(socket)
    // Bound, and no function of ours: it is called outside the guard.
    socket.once('close', forget.bind(null, socket))
  })
  const noteRequest = guard.wrap('note a request', (request: IncomingMessage) => forget(request.socket))
  http.on('connection', add)
  http.on('request', noteRequest)
  http.on('upgrade', noteRequest)
  return sockets
}

/** While connections come in, turns of the event loop are short. */
export function noteArrivals(http: Pick<Server, 'on'>, guard: Guard): void {
  http.on(
    'connection',
    guard.wrap('note an arrival', () => arrivals.note()),
  )
}

/** Lets no one in and resolves once all have gone; after so many milliseconds their connections are closed. */
export function closeHttp(http: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => http.closeAllConnections(), timeoutMs)
    http.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
