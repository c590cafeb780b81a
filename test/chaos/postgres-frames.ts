/**
 * Cuts a PostgreSQL connection's bytes into its messages and names those of a replication stream that the suite
 * waits for. Source: PostgreSQL manual, "Message Formats" and "Logical Replication Message Formats".
 */
import { Buffer } from 'node:buffer'

/** A replication stream's message, as far as the suite cares. */
export type StreamMark =
  | { readonly kind: 'begin' }
  | { readonly kind: 'row' }
  | { readonly kind: 'commit'; readonly endLsn: bigint }
  /** rowcast's report: everything before `writtenLsn` has been delivered. */
  | { readonly kind: 'status'; readonly writtenLsn: bigint }
  | { readonly kind: 'other' }

/** One whole message. */
export interface Frame {
  readonly bytes: Buffer
  readonly mark: StreamMark
}

const OTHER: StreamMark = { kind: 'other' }
const COPY_DATA = 0x64 // d
const WAL_DATA = 0x77 // w
const STATUS_UPDATE = 0x72 // r
/** Type, length; then `w`, two LSNs and a time. */
const WAL_DATA_HEADER_BYTES = 5 + 1 + 24

/** Cuts one direction of one connection. A client's first message has no type. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0)
  #isStartupDue: boolean

  constructor(direction: 'toServer' | 'toClient') {
    this.#isStartupDue = direction === 'toServer'
  }

  /** The messages that are whole now. */
  push(bytes: Buffer): Frame[] {
    const frames: Frame[] = []
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    for (;;) {
      const lengthAt = this.#isStartupDue ? 0 : 1
      if (rest.length < lengthAt + 4) break
      const size = lengthAt + rest.readUInt32BE(lengthAt)
      if (rest.length < size) break
      const frame = rest.subarray(0, size)
      frames.push({ bytes: frame, mark: this.#isStartupDue ? OTHER : markOf(frame) })
      this.#isStartupDue = false
      rest = rest.subarray(size)
    }
    this.#rest = rest
    return frames
  }
}

function markOf(frame: Buffer): StreamMark {
  if (frame[0] !== COPY_DATA) return OTHER
  if (frame[5] === STATUS_UPDATE) return { kind: 'status', writtenLsn: frame.readBigUInt64BE(6) }
  if (frame[5] !== WAL_DATA || frame.length <= WAL_DATA_HEADER_BYTES) return OTHER
  switch (String.fromCharCode(frame[WAL_DATA_HEADER_BYTES] ?? 0)) {
    case 'B':
      return { kind: 'begin' }
    case 'I':
    case 'U':
    case 'D':
      return { kind: 'row' }
    case 'C':
      // Tag, flags, LSN of the commit, LSN of its end.
      return { kind: 'commit', endLsn: frame.readBigUInt64BE(WAL_DATA_HEADER_BYTES + 10) }
    default:
      return OTHER
  }
}
