/**
 * A client of an event stream with as little in it as can be. Lines are looked for in what comes, chunk sizes among it: the servers here write each event as
 * one chunk, in which it is whole.
 */
import { connect } from 'node:net'

/** How to connect. */
export interface RawEventStreamOptions {
  readonly port: number
  readonly path: string
  /** Local address: each has its own 28,000 ports. */
  readonly localAddress: string
  readonly document: string
  /** A result came; `bytes` from `start` on. */
  onResult(bytes: Buffer, start: number, end: number): void
  /** The stream has ended without having been asked to. */
  onLost(): void
}

/** An open stream. */
export interface RawEventStream {
  /** Stops reading. */
  stall(): void
  destroy(): void
}

const HEADER_END = '\r\n\r\n'
const RESULT = 'event: next\n'
const EVENT_END = '\n\n'

/** Subscribes; resolves with the head of the response. */
export function openRawEventStream(options: RawEventStreamOptions): Promise<RawEventStream> {
  const { port, path, localAddress, document } = options
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  return new Promise((resolve, reject) => {
    let isOpen = false
    let isAskedToGo = false
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => {
      if (!isOpen) reject(new Error(`The server refused an event stream: ${rest.toString('latin1', 0, 200)}`))
      else if (!isAskedToGo) options.onLost()
    })
    socket.on('connect', () => {
      const body = JSON.stringify({ query: document })
      const lines = [
        `POST ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Accept: text/event-stream',
        'Content-Type: application/json',
        `Content-Length: ${Buffer.byteLength(body)}`,
      ]
      socket.write(lines.join('\r\n') + HEADER_END + body)
    })
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      if (!isOpen) {
        const end = rest.indexOf(HEADER_END)
        if (end < 0) return
        if (!rest.subarray(0, 12).toString().endsWith('200')) {
          socket.destroy()
          return
        }
        rest = rest.subarray(end + HEADER_END.length)
        isOpen = true
        resolve({
          stall: () => socket.pause(),
          destroy() {
            isAskedToGo = true
            socket.destroy()
          },
        })
      }
      const taken = readEvents(rest, options)
      rest = taken === rest.length ? Buffer.alloc(0) : rest.subarray(taken)
    })
  })
}

/** Hands on the whole events; returns where the first unfinished one may begin. */
function readEvents(bytes: Buffer, { onResult }: RawEventStreamOptions): number {
  let at = 0
  for (;;) {
    const start = bytes.indexOf(RESULT, at)
    // What is not a result yet may be the beginning of one.
    if (start < 0) return Math.max(at, bytes.length - RESULT.length)
    const end = bytes.indexOf(EVENT_END, start)
    if (end < 0) return start
    at = end + EVENT_END.length
    onResult(bytes, start + RESULT.length, end)
  }
}
