/** The faults of a run in their order: a function of the seed, whatever happens meanwhile. */
import type { FaultKind } from './fault-kind.ts'
import type { Random } from './random.ts'

/** One fault that is to be injected. */
export interface PlannedFault<W> {
  readonly fault: FaultKind<W>
  /** Its own choices. */
  readonly random: Random
  /** How long the world is left alone after it; null: until it has recovered. */
  readonly pauseMs: number | null
}

/** All faults in a random order, again and again: none comes again before all others have come. */
export function* planFaults<W>(
  faults: readonly FaultKind<W>[],
  random: Random,
): Generator<PlannedFault<W>, never> {
  if (faults.length === 0) throw new RangeError('No fault has this name.')
  for (;;) {
    for (const fault of random.shuffle(faults)) {
      yield {
        ...{ fault, random: random.fork() },
        pauseMs: random.chance(0.5) ? null : random.integer(0, 400),
      }
    }
  }
}
