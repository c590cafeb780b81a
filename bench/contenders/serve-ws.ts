/** A bare `ws` server: one prepared string to every socket. As cheap as a message to a browser can be. */
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

async function start() {
  if (sockets.address() === null) await new Promise((resolve) => sockets.once('listening', resolve))
  return { port: (sockets.address() as AddressInfo).port, path: '/' }
}

/** Sends the text `changes` times to each socket. */
function fire({ changes, text }: { readonly changes: number; readonly text: string }): void {
  for (const socket of sockets.clients) for (let n = 0; n < changes; n++) socket.send(text)
}

export const commands = { start, fire }
