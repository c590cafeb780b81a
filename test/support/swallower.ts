/** A link that swallows: of a connection nothing goes on, either way, once it has brought so many bytes. */
import type { Buffer } from 'node:buffer'
import type { ProxyFlow } from './tcp-proxy.ts'

/** Which connections fall silent, by their numbers, and after how many bytes. */
export interface Silence {
  readonly from: number
  readonly to: number
  readonly afterBytes: number
}

/** To be given to a proxy as its `intercept`. */
export class Swallower {
  /** Bytes that each connection has brought, by its number. */
  readonly brought = new Map<number, number>()
  /** Where what came in one piece ended: mostly between two messages. */
  readonly ends = new Map<number, number[]>()
  silence: Silence | null = null

  readonly intercept = (bytes: Buffer, { connection, direction }: ProxyFlow): Buffer => {
    const before = this.brought.get(connection) ?? 0
    const { silence } = this
    const isConcerned = silence !== null && connection >= silence.from && connection <= silence.to
    const left = isConcerned ? Math.max(0, silence.afterBytes - before) : bytes.length
    const passing = direction === 'toServer' && left > 0 ? bytes : bytes.subarray(0, left)
    if (direction === 'toClient') {
      this.brought.set(connection, before + bytes.length)
      this.ends.set(connection, [...(this.ends.get(connection) ?? []), before + bytes.length])
    }
    return passing
  }

  /**
   * Silences of one connection each: before its first byte, between two messages, and within them. `count` of each
   * connection, spread over what it has brought so far.
   */
  silences(count: number): Silence[] {
    return [...this.ends].flatMap(([connection, ends]) => {
      const places = [
        0,
        ...ends.flatMap((end, index) => [end - 1, end, (end + (ends[index + 1] ?? end)) >> 1]),
      ]
      const distinct = [...new Set(places)]
      const step = Math.max(1, distinct.length / count)
      const chosen = Array.from(
        { length: Math.min(count, distinct.length) },
        (_, n) => distinct[Math.floor(n * step)],
      )
      return chosen.map((afterBytes = 0) => ({ from: connection, to: connection, afterBytes }))
    })
  }
}
