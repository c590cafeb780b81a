/** Stage 6, bus. One item, or several: most keys of an index have one, and a set for each would take most of its memory. Pure. */

/** Items that are no sets themselves. */
export type Bucket<T> = T | Set<T>

/** The bucket with the item. */
export function withItem<T>(bucket: Bucket<T> | undefined, item: T): Bucket<T> {
  if (bucket === undefined || bucket === item) return item
  return bucket instanceof Set ? bucket.add(item) : new Set([bucket, item])
}

/** The bucket without the item; undefined where nothing is left. */
export function withoutItem<T>(bucket: Bucket<T> | undefined, item: T): Bucket<T> | undefined {
  if (!(bucket instanceof Set)) return bucket === item ? undefined : bucket
  bucket.delete(item)
  return bucket.size === 0 ? undefined : bucket
}

/** How many it has. */
export function sizeOf<T>(bucket: Bucket<T> | undefined): number {
  if (bucket === undefined) return 0
  return bucket instanceof Set ? bucket.size : 1
}

/** What it has. */
export function itemsOf<T>(bucket: Bucket<T> | undefined): Iterable<T> {
  if (bucket === undefined) return []
  return bucket instanceof Set ? bucket : [bucket]
}
