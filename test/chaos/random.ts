/** A random source that a seed repeats: the choices of a run, not its timing. */

/** Random choices. */
export interface Random {
  /** From `min` to `max`, both possible. */
  integer(min: number, max: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One of the values. @throws RangeError for an empty list */
  pick<T>(values: readonly T[]): T
  /** The same values in another order. */
  shuffle<T>(values: readonly T[]): T[]
  /** A source of its own: what it is asked does not change what this one says. */
  fork(): Random
}

/** Mulberry32 by Tommy Ettinger: 32 bits of state are plenty for choosing faults. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  return {
    integer,
    chance: (probability) => next() < probability,
    pick(values) {
      if (values.length === 0) throw new RangeError('Nothing to pick from.')
      return values[integer(0, values.length - 1)] as (typeof values)[number]
    },
    shuffle(values) {
      const shuffled = [...values]
      for (let last = shuffled.length - 1; last > 0; last -= 1) {
        const other = integer(0, last)
        const kept = shuffled[last] as (typeof values)[number]
        shuffled[last] = shuffled[other] as (typeof values)[number]
        shuffled[other] = kept
      }
      return shuffled
    },
    fork: () => createRandom(integer(0, 2 ** 32 - 1)),
  }
}
