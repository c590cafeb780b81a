/**
 * Stage 6, bus. The transaction ids of the log's parts, and which of them is the first that a snapshot does not see. Ids come in the
 * order of commits, which is not their own; so for every few hundred parts the oldest and the newest id are kept, and where a snapshot sees
 * all that lies between them, none of the parts is looked at.
 */
import type { IsVisible } from '../source/db/visibility.ts'

interface Chunk {
  readonly ids: Uint32Array
  length: number
  oldest: number
  newest: number
}

const CHUNK_LENGTH = 512

/** The ids, by sequence number of the part. */
export class TransactionIds {
  readonly #chunkLength: number
  #chunks: Chunk[] = []
  /** Sequence number of the first id of the first chunk. */
  #first = 0
  #end = 0

  constructor(chunkLength = CHUNK_LENGTH) {
    this.#chunkLength = chunkLength
  }

  /** The id of the next part. */
  push(xid: number): void {
    let chunk = this.#chunks.at(-1)
    if (chunk === undefined || chunk.length === this.#chunkLength) {
      chunk = { ids: new Uint32Array(this.#chunkLength), length: 0, oldest: xid, newest: xid }
      this.#chunks.push(chunk)
    }
    chunk.ids[chunk.length] = xid
    chunk.length += 1
    if (isOlder(xid, chunk.oldest)) chunk.oldest = xid
    if (isOlder(chunk.newest, xid)) chunk.newest = xid
    this.#end += 1
  }

  /** The first whose id is known. */
  get first(): number {
    return this.#first
  }

  /** Nobody asks for parts before this one any more. */
  trimTo(first: number): void {
    const chunks = Math.min(Math.floor((first - this.#first) / this.#chunkLength), this.#chunks.length)
    if (chunks < 1) return
    this.#chunks.splice(0, chunks)
    this.#first += chunks * this.#chunkLength
  }

  /** Sequence number of the first part from `from` on whose transaction is not visible, or the end. */
  firstUnseen(from: number, isVisible: IsVisible): number {
    let sequence = Math.max(from, this.#first)
    while (sequence < this.#end) {
      const offset = sequence - this.#first
      const chunk = this.#chunks[Math.floor(offset / this.#chunkLength)] as Chunk
      const start = offset % this.#chunkLength
      if (isVisible.seesRange?.(chunk.oldest, chunk.newest) !== true) {
        for (let at = start; at < chunk.length; at += 1)
          if (!isVisible(chunk.ids[at] as number)) return sequence + at - start
      }
      sequence += chunk.length - start
    }
    return this.#end
  }
}

/** Ids have 32 bits and wrap around; those of one log lie less than half of them apart. */
function isOlder(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}
