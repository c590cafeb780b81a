/**
 * A client of an event stream with as little in it as can be. Lines are looked for in what comes, chunk sizes among it: the servers here write each event as
 * one chunk, in which it is whole.
 */
import { openRawConnection } from './raw-connection.ts'

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

const RESULT = 'event: next\n'
const EVENT_END = '\n\n'

/** Subscribes; resolves with the head of the response. */
export async function openRawEventStream(options: RawEventStreamOptions): Promise<RawEventStream> {
  const { port, path, localAddress, document } = options
  const body = JSON.stringify({ query: document })
  const head = [
    `POST ${path} HTTP/1.1`,
    'Accept: text/event-stream',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  const { socket, destroy } = await openRawConnection({
    ...{ port, localAddress, head, body, status: 200 },
    read: (bytes) => readEvents(bytes, options),
    onLost: () => options.onLost(),
  })
  return { stall: () => socket.pause(), destroy }
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
