/**
 * Stage 1, wire. Frames of the replication stream: cuts the socket's bytes into protocol messages in place,
 * without an event or a copy per message, and writes the status updates that go back.
 * Source: PostgreSQL manual, "Message Formats" and "Streaming Replication Protocol".
 */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../errors.ts'
import type { Lsn } from './lsn.ts'
import { toLsn } from './lsn.ts'
import { unixMsToPgMicros } from './pg-time.ts'

/** Tag byte + length word. The length counts itself but not the tag. */
const HEADER_BYTES = 5
const LENGTH_BYTES = 4
/** 'w' + Int64 WAL start + Int64 WAL end + Int64 send time. */
const WAL_DATA_HEADER_BYTES = 25
/** 'k' + Int64 WAL end + Int64 send time + Byte1 reply requested. */
const KEEPALIVE_BYTES = 18
/** What incomplete messages are put together in. It grows with them up to a bound: a new buffer for each is what a collector is slowest to see. */
const SCRATCH_BYTES = 16_384
const SCRATCH_BYTES_MAX = 1_048_576
/** PostgreSQL never builds a message beyond 1 GB; a length above that is a broken stream. */
const FRAME_BYTES_MAX = 0x40000000

const TAG_COPY_DATA = 0x64 // 'd'
const SUBTAG_WAL_DATA = 0x77 // 'w'
const SUBTAG_KEEPALIVE = 0x6b // 'k'

/** Gets the frames of a stream, in order. `bytes` are valid during the call only: buffers are used again. */
export interface FrameHandler {
  /** One output-plugin message lies in `bytes[start, end)`. */
  onWalData(bytes: Buffer, start: number, end: number): void
  /** The server has sent everything up to `walEnd`; it may want an answer at once. */
  onKeepalive(walEnd: Lsn, isReplyRequested: boolean): void
  /** Any other protocol message (error, notice, copy done …): its tag byte and body `bytes[start, end)`. */
  onProtocolMessage(tag: number, bytes: Buffer, start: number, end: number): void
}

/** Cuts a byte stream, split anywhere, into frames. Holds at most one incomplete message. */
export interface FrameReader {
  /**
   * Takes the next bytes and hands every complete message on.
   * @throws WIRE_BAD_FRAME when the bytes cannot be PostgreSQL's; the connection is then useless.
   */
  push(chunk: Buffer): void
}

/** Creates a frame reader for one connection. */
export function createFrameReader(handler: FrameHandler): FrameReader {
  let scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  /** An incomplete message: what there is of it at the beginning, and room for all that is known to be missing. */
  let pending: Buffer = scratch
  let pendingBytes = 0
  let neededBytes = 0

  function bufferFor(bytes: number): Buffer {
    if (bytes > SCRATCH_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes)
    if (bytes > scratch.length)
      scratch = Buffer.allocUnsafeSlow(Math.min(SCRATCH_BYTES_MAX, Math.max(bytes, 2 * scratch.length)))
    return scratch
  }

  /** Hands on what is complete, and keeps the rest. */
  function consume(bytes: Buffer, from: number, to: number): void {
    let offset = from
    while (to - offset >= HEADER_BYTES) {
      const end = offset + 1 + messageLength(bytes, offset)
      if (end > to) break
      dispatch(handler, bytes, offset, end)
      offset = end
    }
    if (offset === to) return
    neededBytes = to - offset < HEADER_BYTES ? HEADER_BYTES : 1 + messageLength(bytes, offset)
    pending = bufferFor(neededBytes)
    pendingBytes = bytes.copy(pending, 0, offset, to)
  }

  /** Adds what the incomplete message lacks and no more; returns how much of the chunk that was. */
  function complete(chunk: Buffer): number {
    let taken = 0
    while (pendingBytes > 0 && taken < chunk.length) {
      const added = chunk.copy(pending, pendingBytes, taken, taken + neededBytes - pendingBytes)
      pendingBytes += added
      taken += added
      if (pendingBytes < neededBytes) break
      const message = pending
      const end = pendingBytes
      pendingBytes = 0
      pending = scratch
      // A message again, or a header by now, which says how much is still to come.
      consume(message, 0, end)
    }
    return taken
  }

  return {
    push(chunk) {
      const from = pendingBytes === 0 ? 0 : complete(chunk)
      if (from < chunk.length) consume(chunk, from, chunk.length)
    },
  }
}

function messageLength(bytes: Buffer, offset: number): number {
  const length = bytes.readUInt32BE(offset + 1)
  if (length < LENGTH_BYTES || length > FRAME_BYTES_MAX) {
    throw new RowcastError(
      'WIRE_BAD_FRAME',
      `A message of type ${bytes[offset]} says it is ${length} bytes long.`,
    )
  }
  return length
}

function dispatch(handler: FrameHandler, bytes: Buffer, offset: number, end: number): void {
  const body = offset + HEADER_BYTES
  if (bytes[offset] !== TAG_COPY_DATA) {
    handler.onProtocolMessage(bytes[offset] ?? 0, bytes, body, end)
    return
  }
  if (bytes[body] === SUBTAG_WAL_DATA && end - body >= WAL_DATA_HEADER_BYTES) {
    handler.onWalData(bytes, body + WAL_DATA_HEADER_BYTES, end)
    return
  }
  if (bytes[body] === SUBTAG_KEEPALIVE && end - body === KEEPALIVE_BYTES) {
    handler.onKeepalive(toLsn(bytes.readBigUInt64BE(body + 1)), bytes[end - 1] === 1)
    return
  }
  throw new RowcastError(
    'WIRE_BAD_FRAME',
    `A CopyData message of ${end - body} bytes starts with byte ${bytes[body]}.`,
  )
}

/**
 * Encodes a standby status update as a complete CopyData message.
 *
 *     Byte1 'd', Int32 38, Byte1 'r',
 *     Int64 written, Int64 flushed, Int64 applied (LSNs), Int64 clock (µs since 2000), Byte1 reply wanted
 *
 * PostgreSQL frees WAL by the flushed position alone; `LSN_ZERO` there says nothing new about it. Applied is
 * sent as flushed. `isReplyWanted` asks the server for a keepalive at once, @default false.
 */
export function encodeStatusUpdate(
  written: Lsn,
  flushed: Lsn,
  unixMs: number,
  isReplyWanted = false,
): Buffer {
  const message = Buffer.alloc(39)
  message[0] = TAG_COPY_DATA
  message.writeUInt32BE(38, 1)
  message[5] = 0x72 // 'r'
  message.writeBigUInt64BE(written, 6)
  message.writeBigUInt64BE(flushed, 14)
  message.writeBigUInt64BE(flushed, 22)
  message.writeBigInt64BE(unixMsToPgMicros(unixMs), 30)
  message[38] = isReplyWanted ? 1 : 0
  return message
}

/** Encodes a simple query: Byte1 'Q', Int32 length, String. */
export function encodeQuery(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`, 'utf8')
  const message = Buffer.alloc(HEADER_BYTES + text.length)
  message[0] = 0x51 // 'Q'
  message.writeUInt32BE(LENGTH_BYTES + text.length, 1)
  text.copy(message, HEADER_BYTES)
  return message
}

/** Encodes CopyDone, which ends the stream from our side: Byte1 'c', Int32 4. */
export function encodeCopyDone(): Buffer {
  return Buffer.from([0x63, 0, 0, 0, LENGTH_BYTES])
}
