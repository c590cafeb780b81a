/** A GraphQL server on a real socket whose answers a test writes itself: what a server of rowcast's gives only when something is broken. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

/** The messages of one operation: graphql-transport-ws, sections Subscribe to Complete. */
export interface Operation {
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
  next(result: object): void
  error(errors: readonly object[]): void
  complete(): void
}

interface Message {
  readonly type: string
  readonly id?: string
  readonly payload?: { readonly query?: string; readonly variables?: Record<string, unknown> }
}

/** Runs `onOperation` for each operation of each socket; `changeCursor` is answered unless `cursor` says otherwise. */
export async function openKitServer(
  onOperation: (operation: Operation) => void,
  cursor: () => object = () => ({ data: { changeCursor: 'start' } }),
) {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'graphql-transport-ws' })
  sockets.on('connection', (socket) => {
    const send = (message: object) => socket.send(JSON.stringify(message))
    socket.on('message', (bytes) => {
      const { type, id, payload } = JSON.parse(String(bytes)) as Message
      if (type === 'connection_init') send({ type: 'connection_ack' })
      if (type === 'ping') send({ type: 'pong' })
      if (type !== 'subscribe') return
      const { query = '', variables = {} } = payload ?? {}
      const operation: Operation = {
        ...{ query, variables },
        next: (result) => send({ type: 'next', id, payload: result }),
        error: (errors) => send({ type: 'error', id, payload: errors }),
        complete: () => send({ type: 'complete', id }),
      }
      if (!query.includes('{ changeCursor }')) onOperation(operation)
      else {
        operation.next(cursor())
        operation.complete()
      }
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
