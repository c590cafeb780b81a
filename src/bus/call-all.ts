/** Beside the spine, bus. Calls many, each of which somebody depends on. */

/** Calls all of them, whatever one throws. @throws what the first that failed threw, once all have been called */
export function callAll<Item>(items: Iterable<Item>, call: (item: Item) => void): void {
  const failures: unknown[] = []
  for (const item of items) {
    try {
      call(item)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
