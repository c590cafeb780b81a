/** A TCP connection to a server under test, which ends with the test. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** The connection, and what has come over it. */
export async function openRawSocket({
  url,
}: {
  readonly url: string
}): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (data) => {
    text += String(data)
  })
  await once(socket, 'connect')
  return { socket, text: () => text }
}
