/**
 * A WebSocket client with as little in it as can be, so that ten thousand of them fit into one process beside the
 * server that is measured. RFC 6455; text frames only, whole messages only, which is what the servers here send.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { openRawConnection } from './raw-connection.ts'

/** How to connect. */
export interface RawWebSocketOptions {
  readonly port: number
  readonly path: string
  /** Of `Sec-WebSocket-Protocol`; none when left out. */
  readonly protocol?: string | undefined
  /** Local address: each has its own 28,000 ports. */
  readonly localAddress: string
  /** A text message came; `bytes` from `start` on. */
  onText(bytes: Buffer, start: number, end: number): void
  /** The socket is gone without having been asked to go. */
  onLost(): void
}

/** A connected client. */
export interface RawWebSocket {
  send(text: string): void
  /** Stops reading: what a client that hangs does. */
  stall(): void
  /** Reads again. */
  resume(): void
  /** Sends a pong that answers no ping. */
  pong(): void
  destroy(): void
}

const OPCODE_TEXT = 1
const OPCODE_PING = 9
const OPCODE_PONG = 10

/** Connects and shakes hands. */
export async function openRawWebSocket(options: RawWebSocketOptions): Promise<RawWebSocket> {
  const { port, path, protocol, localAddress } = options
  const head = [
    `GET ${path} HTTP/1.1`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  const { socket, destroy } = await openRawConnection({
    ...{ port, localAddress, head, status: 101 },
    read: (bytes, from) => readFrames(bytes, from, options),
    onLost: () => options.onLost(),
  })
  return {
    send: (text) => socket.write(encodeFrame(OPCODE_TEXT, Buffer.from(text))),
    stall: () => socket.pause(),
    resume: () => socket.resume(),
    pong: () => socket.write(encodeFrame(OPCODE_PONG, Buffer.alloc(0))),
    destroy,
  }
}

/** Hands on the whole frames; returns where the first unfinished one begins. */
function readFrames(bytes: Buffer, socket: Socket, { onText }: RawWebSocketOptions): number {
  let at = 0
  while (bytes.length - at >= 2) {
    const opcode = (bytes[at] ?? 0) & 0x0f
    let length = (bytes[at + 1] ?? 0) & 0x7f
    let start = at + 2
    if (length >= 126) {
      const lengthBytes = length === 126 ? 2 : 8
      if (bytes.length < start + lengthBytes) break
      length = length === 126 ? bytes.readUInt16BE(start) : Number(bytes.readBigUInt64BE(start))
      start += lengthBytes
    }
    if (bytes.length < start + length) break
    at = start + length
    if (opcode === OPCODE_TEXT) onText(bytes, start, at)
    else if (opcode === OPCODE_PING) socket.write(encodeFrame(OPCODE_PONG, bytes.subarray(start, at)))
  }
  return at
}

/** Clients mask; with zeros it costs nothing. */
function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const lengthBytes = payload.length > 0xffff ? 8 : payload.length > 125 ? 2 : 0
  // Two bytes, the length where it does not fit into the second, and the mask.
  const head = Buffer.alloc(2 + lengthBytes + 4)
  head[0] = 0x80 | opcode
  head[1] = 0x80 | (lengthBytes === 8 ? 127 : lengthBytes === 2 ? 126 : payload.length)
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(payload.length), 2)
  if (lengthBytes === 2) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}
