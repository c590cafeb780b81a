/**
 * Stage 8, server. WebSocket text frames of a server, built into memory that is used again as soon as a socket has
 * taken what is in it. RFC 6455, section 5.2: FIN and opcode, length, no mask, payload.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** A WebSocket and the TCP socket under it. */
export interface FrameTarget {
  readonly socket: Duplex
  /** Asked for what both hold back: `writableLength` of Node's streams says it, too, but takes far longer. */
  readonly webSocket: WebSocket
}

/** Builds frames and writes them to one socket after the other. */
export interface FrameBatch {
  /** Bytes that wait for `writeTo`. */
  readonly byteLength: number
  /** Adds a frame whose payload is two pieces; the second is not copied if it is long. */
  add(head: Buffer, tail: Buffer): void
  /** Forgets what was added: it was for a socket that has failed, and no other may get it. */
  discard(): void
  /** Writes all that was added in one go; `onWritten`, if any, is called once the socket has taken it. */
  writeTo(target: FrameTarget, onWritten: (() => void) | null): void
}

const FIN_TEXT = 0x81
const LENGTH_16 = 126
const LENGTH_64 = 127
const HEADER_BYTES_MAX = 10
const SLAB_BYTES = 64 * 1024
/** Longer tails are written from where they are: that costs less than a copy, and sockets that lag share them. */
const COPIED_BYTES_MAX = 8 * 1024

const EMPTY = Buffer.alloc(0)

/** Creates a batch for all sockets of a server. */
export function createFrameBatch(): FrameBatch {
  let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  /** Where this batch begins in the slab: what stands before it, sockets may still be writing. */
  let base = 0
  /** From here to `at` it is not among the pieces yet. */
  let start = 0
  let at = 0
  let pieces: Buffer[] = []
  let byteLength = 0

  function reserve(bytes: number): void {
    if (at + bytes <= slab.length) return
    closePiece()
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    base = 0
    start = 0
    at = 0
  }

  function closePiece(): void {
    if (at > start) pieces.push(slab.subarray(start, at))
    start = at
  }

  return {
    get byteLength() {
      return byteLength
    },
    add(head, tail) {
      const length = head.length + tail.length
      const isCopied = tail.length <= COPIED_BYTES_MAX
      reserve(HEADER_BYTES_MAX + head.length + (isCopied ? tail.length : 0))
      // Counted once it is whole.
      let end = writeHeader(slab, at, length)
      slab.set(head, end)
      end += head.length
      if (isCopied) {
        slab.set(tail, end)
        end += tail.length
        byteLength += end - at
        at = end
        return
      }
      byteLength += end - at + tail.length
      at = end
      closePiece()
      pieces.push(tail)
    },
    discard() {
      pieces = []
      byteLength = 0
      // Not back to the base: the socket may be writing a part of it.
      base = at
      start = at
    },
    writeTo({ socket, webSocket }, onWritten) {
      closePiece()
      // An empty piece has the callback called after what the socket holds already.
      if (pieces.length === 0 && onWritten !== null) pieces.push(EMPTY)
      const last = pieces[pieces.length - 1]
      if (pieces.length > 1) socket.cork()
      for (const piece of pieces) {
        if (piece === last && onWritten !== null) socket.write(piece, onWritten)
        else socket.write(piece)
      }
      if (pieces.length > 1) socket.uncork()
      pieces = []
      byteLength = 0
      // Nothing waits: the system has it all, and the memory is free again.
      if (webSocket.bufferedAmount === 0) at = base
      base = at
      start = at
    },
  }
}

function writeHeader(slab: Buffer, begin: number, length: number): number {
  slab[begin] = FIN_TEXT
  if (length < LENGTH_16) {
    slab[begin + 1] = length
    return begin + 2
  }
  if (length < 65_536) {
    slab[begin + 1] = LENGTH_16
    slab[begin + 2] = length >> 8
    slab[begin + 3] = length & 0xff
    return begin + 4
  }
  slab[begin + 1] = LENGTH_64
  slab.writeUIntBE(0, begin + 2, 2)
  slab.writeUIntBE(length, begin + 4, 6)
  return begin + 10
}
