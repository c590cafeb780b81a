/** Stage 6, bus. Forgets what a slow subscriber need not see: all changes of a row but its latest. Pure. */
import { explainUnrepresentable } from '../catalog/values/unrepresentable-value.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import type { Delivery } from './bus.ts'

/** What later changes say of a key. */
interface Later {
  /** Fields that none of the row's came with. Asked for only where there is an earlier one: it takes decoding. */
  missing(): readonly string[]
  /** Whether a row with another key took this one: whatever had it before has to go first. */
  readonly isTaken: boolean
}

const NOTHING: Later = { missing: () => [], isTaken: false }
const TAKEN: Later = { ...NOTHING, isTaken: true }

/**
 * The latest delivery of each row, in their order, and each that replaced a key, or may have: nothing that comes later says that
 * the key before is gone. Where the latest came without a field, as it did not change, also the one that had it. A TRUNCATE makes
 * everything before it unneeded; changes of tables without a primary key are all kept, as nothing distinguishes their rows.
 */
export function conflate<D extends Delivery>(deliveries: readonly D[]): D[] {
  const later = new Map<string, Later>()
  const kept: D[] = []
  for (let index = deliveries.length - 1; index >= 0; index -= 1) {
    const delivery = deliveries[index] as D
    const { change } = delivery
    if (change.key !== null && !isNeeded(change, change.key, later)) continue
    kept.push(delivery)
    if (change.action === 'TRUNCATE') break
  }
  return kept.reverse()
}

/** Whether the change says what no later one does; notes what is missing still. */
function isNeeded(change: AnyChange, key: AnyRow, later: Map<string, Later>): boolean {
  const text = formatKey(key)
  const { oldKey, action } = change
  const known = later.get(text)
  const found = known?.missing().filter((field) => change.new !== null && !change.unavailable.includes(field))
  // Before an INSERT or a DELETE there was another row.
  const rest = action !== 'UPDATE' ? NOTHING : restOf(change, known, found)
  later.set(text, oldKey == null ? rest : TAKEN)
  if (oldKey != null) later.set(formatKey(oldKey), rest)
  if (known === undefined || found === undefined || oldKey !== null || found.length > 0) return true
  return action === 'DELETE' && known.isTaken
}

function restOf(change: AnyChange, known?: Later, found: readonly string[] = []): Later {
  if (known === undefined) return { missing: () => change.unavailable, isTaken: false }
  if (found.length === 0) return known
  const rest = known.missing().filter((field) => !found.includes(field))
  return { missing: () => rest, isTaken: known.isTaken }
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
