/**
 * Stage 8, server. Bounds what one WebSocket may hold back: a sender that resolves at once while the socket
 * drains and makes its caller wait when it does not, so that a stalled client fills the bus's queue, which
 * has a policy, instead of the process's memory, which has none.
 */
import { WebSocket } from 'ws'

/** Sends one text frame; resolves when the caller may produce the next one. Never rejects. */
export type SocketSender = (text: string) => Promise<void>

/**
 * Creates the sender of one socket. What a socket holds is at most `bufferedBytesMax` and, beyond it, one
 * frame for each of its subscriptions, since each of them waits for its own frame to leave.
 */
export function createSocketSender(socket: WebSocket, bufferedBytesMax: number): SocketSender {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return (text) => {
    // Not at once: a source with much to say would be drained into nothing until the close arrives.
    if (socket.readyState !== WebSocket.OPEN) return closed
    return new Promise((resolve) => {
      socket.send(text, () => resolve())
      if (socket.bufferedAmount <= bufferedBytesMax) resolve()
    })
  }
}
