/**
 * Stage 4, changes. Bytes that outlive the buffer they arrived in, side by side in blocks of one size: a buffer for
 * each row would cost more than the row, and a view would keep whatever else lies beside it.
 */
import { Buffer } from 'node:buffer'

/** A block; a row that is larger gets one of its own. */
const SLAB_BYTES = 65_536
/** A block that is used again: what is left over at its end is small beside it even where whole slabs are copied. */
const RECYCLED_SLAB_BYTES = 1_048_576

/** Blocks that wait to be used again: a full log takes one for each that it releases, one that shrinks gives the rest back. */
const FREE_MAX = 4

/** Copies ranges of bytes into slabs. */
export class ByteSlabs {
  /** The slab of the latest range. */
  slab: Buffer = Buffer.alloc(0)
  #used = 0

  /** Keeps `bytes[start, end)`; returns its offset in `slab`. */
  keep(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length > this.slab.length - this.#used) {
      this.slab = this.allocate(length)
      this.#used = 0
    }
    const at = this.#used
    this.slab.set(bytes.subarray(start, end), at)
    this.#used += length
    return at
  }

  /** A slab with room for `length` bytes. */
  protected allocate(length: number): Buffer {
    return Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length))
  }
}

/**
 * Slabs that are used again once they are released, oldest first. What lives for minutes and then goes is what a
 * garbage collector is slowest to see.
 */
export class RecycledSlabs extends ByteSlabs {
  readonly #taken: Buffer[] = []
  readonly #free: Buffer[] = []

  /** Nothing before this slab is read any more. */
  releaseBefore(slab: Buffer): void {
    const end = this.#taken.indexOf(slab)
    if (end <= 0) return
    for (const released of this.#taken.splice(0, end)) {
      if (released.length === RECYCLED_SLAB_BYTES && this.#free.length < FREE_MAX) this.#free.push(released)
    }
  }

  protected override allocate(length: number): Buffer {
    const free = length <= RECYCLED_SLAB_BYTES ? this.#free.pop() : undefined
    const slab = free ?? Buffer.allocUnsafeSlow(Math.max(RECYCLED_SLAB_BYTES, length))
    this.#taken.push(slab)
    return slab
  }
}
