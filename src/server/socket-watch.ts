/** Stage 8, server. Ends WebSockets that nobody uses: one timer each, which pings and looks at the clock. */
import type { WebSocket } from 'ws'

/** What a watch needs. */
export interface SocketWatchOptions {
  readonly pingIntervalMs: number
  readonly idleTimeoutMs: number
  /** How many operations run on the socket. */
  readonly operationCount: () => number
}

/** A watch on one socket. */
export interface SocketWatch {
  /** The client asked for something. */
  noteActivity(): void
  stop(): void
}

/** WebSocket close code: done, nothing wrong. RFC 6455, section 7.4.1. */
const NORMAL_CLOSURE = 1000

/** Pings at the interval, terminates a socket that left the last ping unanswered, and closes an idle one. */
export function watchSocket(socket: WebSocket, options: SocketWatchOptions): SocketWatch {
  let isAnswered = true
  let lastActivityMs = Date.now()
  socket.on('pong', () => {
    isAnswered = true
  })
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return
    if (!isAnswered) return socket.terminate()
    if (options.operationCount() > 0) lastActivityMs = Date.now()
    if (Date.now() - lastActivityMs >= options.idleTimeoutMs) return socket.close(NORMAL_CLOSURE, 'Idle')
    isAnswered = false
    socket.ping()
  }, options.pingIntervalMs)
  return {
    noteActivity() {
      lastActivityMs = Date.now()
    },
    stop: () => clearInterval(timer),
  }
}
