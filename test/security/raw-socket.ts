/** A WebSocket client without manners: it sends what it is given, and shows how the server takes it. */
import { onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { createDeferred } from '../support/deferred.ts'

/** One socket. */
export interface RawSocket {
  readonly socket: WebSocket
  /** Sends text as it is, or anything else as JSON. */
  send(message: unknown): void
  /** Messages received so far. */
  readonly received: readonly Record<string, unknown>[]
  /** Resolves with the close code, or with the HTTP status of a refused upgrade. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string }>
}

/** How to knock. */
export interface RawSocketOptions extends ClientOptions {
  readonly protocol?: string
  /** Sends `connection_init` and waits for the acknowledgement. @default true */
  readonly isInitialized?: boolean
}

/** Opens one; a refused upgrade resolves too, with `ended`. Cut at the end of the test. */
export async function openRawSocket(url: string, options: RawSocketOptions = {}): Promise<RawSocket> {
  const { protocol = 'graphql-transport-ws', isInitialized = true, ...rest } = options
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, rest)
  onTestFinished(() => socket.terminate())
  const opened = createDeferred<void>()
  const acknowledged = createDeferred<void>()
  const ended = createDeferred<{ code: number; reason: string }>()
  const received: Record<string, unknown>[] = []
  const settle = (): void => {
    opened.resolve()
    acknowledged.resolve()
  }
  socket.on('open', opened.resolve)
  socket.on('unexpected-response', (_request, response) => {
    ended.resolve({ code: response.statusCode ?? 0, reason: response.statusMessage ?? '' })
    settle()
    response.destroy()
  })
  socket.on('error', () => settle())
  socket.on('close', (code, reason) => {
    ended.resolve({ code, reason: String(reason) })
    settle()
  })
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Record<string, unknown>
    received.push(message)
    if (message['type'] === 'connection_ack') acknowledged.resolve()
  })
  await opened.promise
  const send = (message: unknown): void =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  if (isInitialized && socket.readyState === WebSocket.OPEN) {
    send({ type: 'connection_init' })
    await acknowledged.promise
  }
  return { socket, send, received, ended: ended.promise }
}

/** The message that starts an operation. */
export const subscribeMessage = (id: string, query: string, variables: Record<string, unknown> = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, variables },
})
