/**
 * Stage 2, pgoutput. A bounds-checked cursor over one message, for everything but row changes (those are
 * walked by hand, see decode-row-change.ts). Source: PostgreSQL manual, "Message Data Types".
 */
import type { RowcastError } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { readInt32, readInt64, readUint16, readUint32, readUint64 } from './big-endian.ts'
import { formatByte, type MessageBytes, malformedMessage, truncatedMessage } from './message-faults.ts'

/**
 * Names that are not valid UTF-8 (a database in SQL_ASCII) become U+FFFD rather than an error: such a table
 * then matches no model, and everyone else's changes go on. A leading U+FEFF is part of the name.
 */
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** Reads one message from just past its tag; every `read…` moves on and throws PGOUTPUT_TRUNCATED past the end. */
export class MessageReader {
  readonly #bytes: Uint8Array
  readonly #start: number
  readonly #end: number
  #offset: number

  /** `start` is the offset of the tag, `end` the offset just past the message. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#offset = start + 1
  }

  get remainingBytes(): number {
    return this.#end - this.#offset
  }

  readUint8(): number {
    return this.#bytes[this.#take(1)] ?? 0
  }

  readUint16(): number {
    return readUint16(this.#bytes, this.#take(2))
  }

  readInt32(): number {
    return readInt32(this.#bytes, this.#take(4))
  }

  /** An OID or xid. */
  readUint32(): number {
    return readUint32(this.#bytes, this.#take(4))
  }

  /** The xid that leads the messages which have one inside a streamed block; null outside. */
  readStreamXid(isStreamed: boolean): number | null {
    return isStreamed ? this.readUint32() : null
  }

  readLsn(): Lsn {
    return toLsn(readUint64(this.#bytes, this.#take(8)))
  }

  /** A time in microseconds since 2000-01-01. */
  readMicros(): bigint {
    return readInt64(this.#bytes, this.#take(8))
  }

  /** A zero-terminated string. */
  readString(): string {
    const from = this.#offset
    let to = from
    while (to < this.#end && this.#bytes[to] !== 0) to++
    if (to >= this.#end) throw this.#truncated('a zero-terminated string')
    this.#offset = to + 1
    return utf8.decode(this.#bytes.subarray(from, to))
  }

  /** The next bytes, as a view. */
  readBytes(byteCount: number): Uint8Array {
    const from = this.#take(byteCount)
    return this.#bytes.subarray(from, from + byteCount)
  }

  /** An Int32 count or length. @throws PGOUTPUT_MALFORMED when negative */
  readCount(): number {
    const count = this.readInt32()
    if (count < 0) throw this.malformed(`a negative count (${count})`, 4)
    return count
  }

  /** A flags byte without any flag defined. @throws PGOUTPUT_MALFORMED when not 0, as PostgreSQL's own subscriber */
  readNoFlags(): void {
    const flags = this.readUint8()
    if (flags !== 0) throw this.malformed(`unknown flags (${formatByte(flags)})`, 1)
  }

  /** @throws PGOUTPUT_TRUNCATED when fewer bytes are left: the check to make before a loop over a count */
  expectBytes(byteCount: number, expected: string): void {
    if (byteCount > this.remainingBytes) throw this.#truncated(expected)
  }

  /** @throws PGOUTPUT_MALFORMED when bytes are left over */
  expectEnd(): void {
    if (this.remainingBytes > 0) throw this.malformed(`${this.remainingBytes} bytes too many`, 0)
  }

  get #message(): MessageBytes {
    return { bytes: this.#bytes, start: this.#start, end: this.#end }
  }

  /** The error for what was just read: `byteCount` bytes before the cursor. */
  malformed(found: string, byteCount: number): RowcastError {
    return malformedMessage(this.#message, this.#offset - byteCount, found)
  }

  #truncated(expected: string): RowcastError {
    return truncatedMessage(this.#message, this.#offset, expected)
  }

  #take(byteCount: number): number {
    if (byteCount > this.#end - this.#offset) throw this.#truncated(`${byteCount} bytes`)
    const from = this.#offset
    this.#offset += byteCount
    return from
  }
}
