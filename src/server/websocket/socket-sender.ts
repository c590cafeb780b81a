/**
 * Stage 8, server. Bounds what one WebSocket may hold back: a sender that resolves at once while the socket
 * drains and makes its caller wait when it does not, so that a stalled client fills the bus's queue, which
 * has a policy, instead of the process's memory, which has none.
 */
import { WebSocket } from 'ws'
import type { Guard } from '../../guard.ts'
import type { SocketReading } from '../limits/socket-reading.ts'

/** Sends one text frame; resolves when the caller may produce the next one. */
export type SocketSender = (text: string) => Promise<void>

/**
 * Creates the sender of one socket. What a socket holds is at most what may be unread and, beyond it, one
 * frame for each of its subscriptions, since each of them waits for its own frame to leave. Never rejects.
 * @param onHeld called whenever the socket may hold more than before, or less
 */
export function createSocketSender(
  socket: WebSocket,
  reading: SocketReading,
  onHeld: () => void,
  guard: Guard,
): SocketSender {
  const { bufferedBytesMax } = reading
  stopReadingWhileFull(socket, bufferedBytesMax, onHeld, guard)
  // One for all: a socket that closes may have a hundred operations that have something to say.
  let closed: Promise<void> | null = null
  return (text) => {
    // Not at once: a source with much to say would be drained into nothing until the close arrives.
    if (socket.readyState !== WebSocket.OPEN) {
      closed ??= untilClosed(socket)
      return closed
    }
    return new Promise((resolve) => {
      const goOn = (): void => {
        resolve()
        onHeld()
        reading.resume()
      }
      socket.send(
        text,
        guard.wrap('go on sending', goOn, () => socket.terminate()),
      )
      onHeld()
      if (socket.bufferedAmount <= bufferedBytesMax) resolve()
    })
  }
}

function untilClosed(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve()
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/**
 * A client that asks without reading the answers is not listened to until it reads: each message, and each
 * ping, leaves an answer in the buffer.
 */
function stopReadingWhileFull(
  socket: WebSocket,
  bufferedBytesMax: number,
  onHeld: () => void,
  guard: Guard,
): void {
  const check = guard.wrap('look how full a WebSocket is', () => {
    onHeld()
    if (socket.bufferedAmount > bufferedBytesMax && socket.readyState === WebSocket.OPEN) socket.pause()
  })
  socket.on('message', check)
  socket.on('ping', check)
}
