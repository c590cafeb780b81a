/** Beside the spine, sets. What waits to be taken, in order: an array, or what is made of one item by item. Pure. */

/** Items that are there. */
export interface Upcoming<Item> {
  readonly length: number
  /** Undefined past the last. */
  at(index: number): Item | undefined
}

/** Each as `map` makes it, when it is asked for. */
export function mapped<From, To>(from: readonly From[], map: (item: From) => To): Upcoming<To> {
  return { length: from.length, at: (index) => (index < from.length ? map(from[index] as From) : undefined) }
}
