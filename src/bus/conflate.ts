/** Stage 6, bus. Forgets what a slow subscriber need not see: all changes of a row but its latest. Pure. */
import { explainUnrepresentable } from '../catalog/values/unrepresentable-value.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import { keyBefore } from '../changes/key-before.ts'
import type { Lsn } from '../wire/lsn.ts'
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

/** What a delivery says to its subscriber, who may be shown less than the change has. */
interface Said {
  /** The row that is there from now on, or gone; null where nothing distinguishes it. */
  readonly key: AnyRow | null
  /** The key that the row had before; null where it had the same, or where the subscriber is not shown it. */
  readonly oldKey: AnyRow | null | undefined
  readonly isGone: boolean
}

/**
 * The latest delivery of each row, in their order, and each that replaced a key, or may have: nothing that comes later says that
 * the key before is gone. Where the latest came without a field, as it did not change, also the one that had it, or that said the row was gone. A TRUNCATE makes
 * everything before it unneeded; changes of tables without a primary key are all kept, as nothing distinguishes their rows.
 * Where the last of a transaction falls away, the last that is kept of it says that it is the last.
 */
export function conflate<D extends Delivery>(deliveries: readonly D[]): D[] {
  const later = new Map<string, Later>()
  const kept: D[] = []
  /** Transactions whose last delivery fell away. */
  const ended = new Set<Lsn>()
  for (let index = deliveries.length - 1; index >= 0; index -= 1) {
    const delivery = deliveries[index] as D
    const { change } = delivery
    const said = saidOf(delivery)
    const { commitLsn } = change.transaction
    if (said.key !== null && !isNeeded(change, said.key, said, later)) {
      if (delivery.isLastOfTransaction) ended.add(commitLsn)
      continue
    }
    kept.push(ended.delete(commitLsn) ? asLast(delivery) : delivery)
    if (change.action === 'TRUNCATE') break
  }
  return kept.reverse()
}

/** A copy, as others who wait for the same delivery may have what followed it. */
function asLast<D extends Delivery>(delivery: D): D {
  const copy: D = Object.create(Object.getPrototypeOf(delivery))
  return Object.assign(copy, delivery, { isLastOfTransaction: true })
}

/** A row out of sight is gone, under the key that it had in sight; one that comes into sight was not there, whatever key it had. */
function saidOf({ change, hidesOld, hidesNew, transition }: Delivery): Said {
  if (hidesNew) return { key: keyBefore(change), oldKey: null, isGone: true }
  const isGone = change.action === 'DELETE' || (change.action === 'UPDATE' && transition === 'LEFT')
  return { key: change.key, oldKey: hidesOld ? null : change.oldKey, isGone }
}

/** Whether the change says what no later one does; notes what is missing still. */
function isNeeded(
  change: AnyChange,
  key: AnyRow,
  { oldKey, isGone }: Said,
  later: Map<string, Later>,
): boolean {
  const text = formatKey(key)
  const known = later.get(text)
  const found = known?.missing().filter((field) => change.new !== null && !change.unavailable.includes(field))
  // Before an INSERT, and before what is gone, there was another row.
  const rest = isGone || change.action === 'INSERT' ? NOTHING : restOf(change, known, found)
  later.set(text, oldKey == null ? rest : TAKEN)
  if (oldKey != null) later.set(formatKey(oldKey), rest)
  if (known === undefined || found === undefined || oldKey !== null) return true
  // What is missing, and what was there before, are of two rows.
  return isGone ? known.isTaken || known.missing().length > 0 : found.length > 0
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
