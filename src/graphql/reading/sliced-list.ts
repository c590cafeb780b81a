/**
 * Stage 7, graphql. Long lists of objects, a slice at a time: graphql-js makes of a list what the answer has of it in one piece, and ten thousand
 * rows would hold everybody else up. What a list has beyond its first slice comes as promises, each slice in its turn of the event loop.
 */
import { TurnShare } from '../../bus/turn-share.ts'
import { createGuard } from '../../guard.ts'
import { silentLogger } from '../../logger.ts'
import { isThenable } from '../../metadata-schema.ts'

/**
 * Items that are done in one go, in a few milliseconds. Not fewer: what they ask the database for is asked for all of them together, and
 * whatever gathers the keys of one turn (a DataLoader, our own reads) asks once for each slice.
 */
export const SLICE_ITEMS = 256

/** What it runs settles promises, and throws nothing. */
const guard = createGuard(silentLogger)

/** All lists of this process: it has one event loop. Each slice begins once the one before it is done with, to its last microtask. */
const turns = new TurnShare({ guard, isOneByOne: true })

/** The items, each as it is made of one; those of a list that is short at once. */
export function slicedList<Item, Made>(
  items: readonly Item[],
  make: (item: Item) => Made,
  wait: () => Promise<void> | null = () => turns.wait(),
): readonly (Made | Promise<Made>)[] {
  let gate: Promise<void> | null = null
  return items.map((item, index) => {
    if (index < SLICE_ITEMS) return make(item)
    if (index % SLICE_ITEMS === 0) gate = gateBehind(gate, wait)
    return (gate as Promise<void>).then(() => make(item))
  })
}

async function gateBehind(before: Promise<void> | null, wait: () => Promise<void> | null): Promise<void> {
  await before
  await wait()
}

/** What a resolver gives, in slices where it is a long list that is there. */
export function inSlices(value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= SLICE_ITEMS) return value
  // Promises have turns of their own, or are slices already; one that waited here for its turn could reject before anybody listens.
  return value.some(isThenable) ? value : slicedList(value, (item: unknown) => item)
}
