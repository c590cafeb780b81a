/** A connection that begins with one request over HTTP and then is read as long as it lasts: what raw WebSockets and raw event streams share. */
import { connect, type Socket } from 'node:net'

/** How to connect, and what to say. */
export interface RawConnectionOptions {
  readonly port: number
  /** Local address: each has its own 28,000 ports. */
  readonly localAddress: string
  /** Lines of the request's head, without `Host`. */
  readonly head: readonly string[]
  readonly body?: string | undefined
  /** Of the response that opens it. */
  readonly status: 101 | 200
  /** Reads what has come; returns where the first unfinished message may begin. */
  read(bytes: Buffer, socket: Socket): number
  /** It is gone without having been asked to go. */
  onLost(): void
}

/** An open one. */
export interface RawConnection {
  readonly socket: Socket
  destroy(): void
}

const HEADER_END = '\r\n\r\n'

/** Connects; resolves with the head of the response. */
export function openRawConnection(options: RawConnectionOptions): Promise<RawConnection> {
  const { port, localAddress, head, body = '', status } = options
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  return new Promise((resolve, reject) => {
    let isOpen = false
    let isAskedToGo = false
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => {
      if (!isOpen) reject(new Error(`The server refused: ${rest.toString('latin1', 0, 200)}`))
      else if (!isAskedToGo) options.onLost()
    })
    socket.on('connect', () => {
      const [request, ...fields] = head
      socket.write([request, `Host: 127.0.0.1:${port}`, ...fields].join('\r\n') + HEADER_END + body)
    })
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      if (!isOpen) {
        const end = rest.indexOf(HEADER_END)
        if (end < 0) return
        if (!rest.subarray(0, 12).toString().endsWith(String(status))) {
          socket.destroy()
          return
        }
        rest = rest.subarray(end + HEADER_END.length)
        isOpen = true
        const destroy = (): void => {
          isAskedToGo = true
          socket.destroy()
        }
        resolve({ socket, destroy })
      }
      const taken = options.read(rest, socket)
      rest = taken === rest.length ? Buffer.alloc(0) : rest.subarray(taken)
    })
  })
}
