/** Heartbeats of a stream that a test reads: counted as they come, and awaited. */
import { createResultQueue } from './result-queue.ts'

/** Creates both sides: `beat` for the reader, `heartbeats` resolves with the number once that many have come. */
export function createHeartbeats(): { beat(): void; heartbeats(count: number): Promise<number> } {
  const beats = createResultQueue<number>()
  let beatCount = 0
  return {
    beat() {
      beatCount += 1
      beats.push({ data: beatCount })
    },
    async heartbeats(count) {
      let seen = 0
      while (seen < count) seen = await beats.nextData()
      return seen
    },
  }
}
