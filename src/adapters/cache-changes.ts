/** Beside the spine, adapters. What a change means to a normalised cache, which takes the rows that come by itself: which one is gone, and what becomes of a list. */
import {
  applyChange,
  keyReader,
  keyValues,
  type ListChange,
  type ListShape,
  partBefore,
} from '../client/apply-change.ts'

/** The key fields of the row that a change leaves without an entity: it is gone, or has another key; null where none is. Aliases are not seen. */
export function goneKey<Row extends object>(
  change: ListChange<Row>,
  { key }: Pick<ListShape<Row>, 'key'>,
): Readonly<Record<string, unknown>> | null {
  const { action, new: row } = change
  if (action === 'TRUNCATE' || action === 'READY') return null
  // The row is there, and nobody wrote it: it has left this list, and others may show it.
  if (action === 'READ' && (change.cause === 'RELATION' || change.cause === 'INCLUDED')) return null
  const names = typeof key === 'string' ? [key] : key
  const keyOf = keyReader({ key })
  const known = partBefore(change, { key }, row ?? undefined)
  const part = known === undefined && row == null ? change.key : known
  const before = keyValues(part, names)
  if (before === null || keyOf(part) === keyOf(row)) return null
  return Object.fromEntries(names.map((name, index) => [name, before[index]]))
}

/** The key fields of all rows that a change leaves without an entity: a TRUNCATE names none, and takes those that are known. */
export function goneKeys<Row extends object>(
  change: ListChange<Row>,
  shape: Pick<ListShape<Row>, 'key'>,
  known: readonly Row[],
): readonly Readonly<Record<string, unknown>>[] {
  const gone =
    change.action === 'TRUNCATE'
      ? known.map((row) => goneKey({ action: 'DELETE', key: row }, shape))
      : [goneKey(change, shape)]
  return gone.filter((key) => key !== null)
}

/** The rows of a query, of which one field is a list; none where the list is not there. */
export function rowsIn<Row extends object>(data: unknown, field: string): readonly Row[] {
  const rows: unknown = Reflect.get(Object(data), field)
  return Array.isArray(rows) ? (rows as readonly Row[]) : []
}

/** The data of a query, of which one field is a list, after the change. The same where nothing differs, and where the list is not there. */
export function changedData<Row extends object, Data>(
  data: Data,
  field: string,
  change: ListChange<Row>,
  shape: ListShape<Row>,
): Data {
  const rows = rowsIn<Row>(data, field)
  const next = applyChange(rows, change, shape)
  return next === rows ? data : { ...data, [field]: next }
}
