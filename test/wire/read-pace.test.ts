import { describe, expect, it } from 'vitest'
import { ReadPace } from '../../src/wire/read-pace.ts'

/** How often a reader would rest in `reads` reads of `byteLength` bytes, one every `intervalMs`. */
function countRests(reads: number, byteLength: number, intervalMs: number): number {
  let nowMs = 1_000
  const pace = new ReadPace(() => nowMs)
  let rests = 0
  for (let read = 0; read < reads; read += 1) {
    nowMs += intervalMs
    if (pace.isRestDue(byteLength)) rests += 1
  }
  return rests
}

describe('read pace', () => {
  it.each([
    ['a walsender that sends each of its rows for itself, 70 MB/s', 1_500, 0.02, 100],
    ['small reads, but a flood in sum', 8_192, 0.2, 100],
    ['reads that are worth their cost', 65_536, 0.2, 0],
    ['single-row transactions, 2,000 a second in three messages', 250, 0.16, 0],
    ['a few small messages in one moment', 250, 0, 0],
    ['a trickle', 100, 50, 0],
  ])('rests in a flood of small reads only: %s', (_what, byteLength, intervalMs, rests) => {
    expect(countRests(800, byteLength, intervalMs)).toBe(rests)
  })
})
