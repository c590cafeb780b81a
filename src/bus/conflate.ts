/** Stage 6, bus. Forgets what a slow subscriber need not see: all changes of a row but its latest. Pure. */
import { explainUnrepresentable } from '../catalog/values/unrepresentable-value.ts'
import type { AnyRow } from '../changes/change.ts'
import type { Delivery } from './bus.ts'

/**
 * The latest delivery of each row, in their order, and each that replaced a key, or may have: nothing that comes later says that
 * the key before is gone. A TRUNCATE makes everything before it unneeded; changes of tables without a primary key are all kept, as
 * nothing distinguishes their rows.
 */
export function conflate<D extends Delivery>(deliveries: readonly D[]): D[] {
  const seen = new Set<string>()
  const kept: D[] = []
  for (let index = deliveries.length - 1; index >= 0; index -= 1) {
    const delivery = deliveries[index] as D
    const { action, key, oldKey } = delivery.change
    if (key !== null) {
      const text = formatKey(key)
      if (seen.has(text) && oldKey === null) continue
      seen.add(text)
      if (oldKey != null) seen.add(formatKey(oldKey))
    }
    kept.push(delivery)
    if (action === 'TRUNCATE') break
  }
  return kept.reverse()
}

/** Key values as one text; types and values that JSON has no word for are written out. */
function formatKey(key: AnyRow): string {
  // Dates first: JSON asks them for a text before it asks us, and has none for infinity.
  const values = Object.values(key).map((value) => explainUnrepresentable(value) ?? value)
  return JSON.stringify(values, (_name, value: unknown) => {
    const isWord = typeof value !== 'bigint' && !(value instanceof Uint8Array) && !isNoNumber(value)
    return isWord ? value : `${typeof value}:${String(value)}`
  })
}

function isNoNumber(value: unknown): boolean {
  return typeof value === 'number' && !Number.isFinite(value)
}
