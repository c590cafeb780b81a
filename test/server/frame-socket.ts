/** A WebSocket without a network: takes frames, or stops taking them, and knows what was in them. */
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { FrameTarget } from '../../src/server/delivery/frame-batch.ts'

/** A message as graphql-transport-ws has it. */
export interface FrameMessage {
  readonly id: string
  readonly type: string
  readonly payload: unknown
}

/** The socket and what a test does with it. */
export interface FrameSocket extends FrameTarget {
  /** Payloads of the whole frames that came, as text. */
  readonly texts: readonly string[]
  readonly messages: readonly FrameMessage[]
  /** Writes that reached the system: one for what is written together. */
  readonly writeCount: number
  /** Whether it was cut. */
  readonly isTerminated: boolean
  /** From now on nothing is taken, until `resume()`. */
  stall(): void
  resume(): void
  /** As if a close frame had been sent. */
  close(): void
}

const FIN_TEXT = 0x81

/** Creates one. */
export function createFrameSocket(): FrameSocket {
  const chunks: Buffer[] = []
  let writeCount = 0
  let isStalled = false
  let readyState = 1
  let held: (() => void) | null = null
  const take = (taken: readonly Buffer[], callback: () => void): void => {
    const finish = () => {
      // A copy: what was taken may be overwritten from now on.
      chunks.push(...taken.map((chunk) => Buffer.from(chunk)))
      writeCount += 1
      callback()
    }
    if (isStalled) held = finish
    else finish()
  }
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, callback) => take([chunk], callback),
    writev: (list, callback) =>
      take(
        list.map(({ chunk }) => chunk as Buffer),
        callback,
      ),
  })
  const webSocket = {
    isPaused: false,
    resume: () => undefined,
    terminate() {
      readyState = 3
    },
    get readyState() {
      return readyState
    },
    get bufferedAmount() {
      return socket.writableLength
    },
  } as unknown as WebSocket
  return {
    socket,
    webSocket,
    get texts() {
      return readFrames(Buffer.concat(chunks))
    },
    get messages() {
      return readFrames(Buffer.concat(chunks)).map((text) => JSON.parse(text) as FrameMessage)
    },
    get writeCount() {
      return writeCount
    },
    get isTerminated() {
      return readyState === 3
    },
    stall() {
      isStalled = true
    },
    resume() {
      isStalled = false
      const finish = held
      held = null
      finish?.()
    },
    close() {
      readyState = 2
    },
  }
}

/** RFC 6455, section 5.2; text frames without a mask, as servers send them. */
function readFrames(bytes: Buffer): string[] {
  const texts: string[] = []
  let at = 0
  while (at < bytes.length) {
    if (bytes[at] !== FIN_TEXT) throw new Error(`No text frame begins at byte ${at}.`)
    const short = bytes[at + 1] ?? 0
    const [start, length] =
      short < 126
        ? [at + 2, short]
        : short === 126
          ? [at + 4, bytes.readUInt16BE(at + 2)]
          : [at + 10, Number(bytes.readBigUInt64BE(at + 2))]
    texts.push(bytes.toString('utf8', start, start + length))
    at = start + length
  }
  return texts
}
