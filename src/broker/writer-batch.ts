/** Beside the bus, broker. What waits to leave for the broker, and how much of it leaves at once. */
import type { ChangePosition } from '../changes/change.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { BuiltEntry } from './built-entry.ts'
import type { LogWrite } from './entry-log.ts'

/** What waits to leave. */
export type Item =
  | ({ readonly kind: 'entry' } & BuiltEntry)
  | { readonly kind: 'mark'; readonly lsn: Lsn }
  | { readonly kind: 'tables'; readonly text: string }
  | { readonly kind: 'lasts'; readonly lasts: ReadonlyMap<string, ChangePosition> }
  | { readonly kind: 'write'; readonly write: LogWrite }

/** Bounds of a batch. */
const BATCH_BYTES_MAX = 1024 * 1024
const BATCH_ITEMS_MAX = 1_000
/** Index past the last of those that leave together, from `from` on. */
export function endOfBatch(waiting: readonly Item[], from: number): number {
  let bytes = 0
  let end = from
  while (end < waiting.length && end - from < BATCH_ITEMS_MAX && bytes < BATCH_BYTES_MAX) {
    const item = waiting[end] as Item
    if (item.kind === 'entry') bytes += item.payload.length
    end += 1
  }
  return end
}
