/**
 * Stage 2, pgoutput. Integers in network byte order, read straight from a Uint8Array: no view object per message.
 * Nothing here checks bounds; whoever calls has. Source: PostgreSQL manual, "Message Data Types".
 */

// The casts: an index within bounds always holds a number, which the compiler cannot know.

/** Unsigned 16 bits at `offset`. */
export function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
}

/** Signed 32 bits at `offset`: lengths, counts, type modifiers. */
export function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  )
}

/** Unsigned 32 bits at `offset`: OIDs and transaction ids, half of which lie above 2^31. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return readInt32(bytes, offset) >>> 0
}

/** One cell to put two halves together in: several times faster than shifting bigints. */
const scratch = new DataView(new ArrayBuffer(8))

/** Unsigned 64 bits at `offset`: LSNs. */
export function readUint64(bytes: Uint8Array, offset: number): bigint {
  scratch.setInt32(0, readInt32(bytes, offset))
  scratch.setInt32(4, readInt32(bytes, offset + 4))
  return scratch.getBigUint64(0)
}

/** Signed 64 bits at `offset`: times. */
export function readInt64(bytes: Uint8Array, offset: number): bigint {
  return BigInt.asIntN(64, readUint64(bytes, offset))
}
