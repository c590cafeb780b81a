/** What a socket that closes still has to send waits for its end, with one listener for all of it. */
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { SocketReading } from '../../src/server/limits/socket-reading.ts'
import { createSocketSender } from '../../src/server/websocket/socket-sender.ts'

it('a hundred that wait for a socket to close add one listener to it', async () => {
  // Nobody listens there: it is not open, and closes.
  const socket = new WebSocket('ws://127.0.0.1:1')
  socket.on('error', () => undefined)
  const before = socket.listenerCount('close')
  const send = createSocketSender(
    socket,
    new SocketReading(socket, 1_000),
    () => undefined,
    createGuard(silentLogger),
  )
  const sent = Array.from({ length: 100 }, () => send('x'))
  expect(socket.listenerCount('close')).toBe(before + 1)
  await Promise.all(sent)
})
