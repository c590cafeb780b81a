/**
 * Beside the spine, client. One change applied to a list of rows: pure, and the list that it is given stays as it is.
 * Applying the changes that follow a query, in order, gives what the query would give now.
 */

/** Some fields of a row. In `key` and `old` a field `id` is called `rowId`: they are no entities of a client's cache. */
export type RowPart<Row extends object> = Partial<Row> & { readonly rowId?: unknown }

/** A change as a subscription selects it. `new` has the fields that the list's rows have. */
export interface ListChange<Row extends object> {
  readonly action: 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | 'READ' | 'READY'
  /** The row after, or as it is; null for DELETE, TRUNCATE and READY, a READ of a row that left, and where it is not for this viewer. */
  readonly new?: Row | null | undefined
  /** The row before: its key is enough. This or `oldKey` is needed where primary keys change. */
  readonly old?: RowPart<Row> | null | undefined
  /** The primary key: what a DELETE without `old` is recognised by. */
  readonly key?: RowPart<Row> | null | undefined
  /** The primary key before, where an UPDATE replaced it: what stands in for `old` where PostgreSQL does not send that. */
  readonly oldKey?: RowPart<Row> | null | undefined
  /** Of subscriptions with a `where`: LEFT removes the row. */
  readonly transition?: 'ENTERED' | 'STAYED' | 'LEFT' | null | undefined
  /** Of READ: why it comes. */
  readonly cause?: 'INITIAL' | 'ACCESS' | 'RELATION' | 'INCLUDED' | null | undefined
  /** Fields that PostgreSQL did not send, since they did not change: the list's row keeps its own. */
  readonly unavailable?: readonly string[] | undefined
  /** Whose change it was: `transaction { last metadata { mutationId } }`, or `transaction { last xid }`. */
  readonly transaction?: ChangeOrigin | null | undefined
}

/** What a list reads of a change's transaction, where it is selected. */
export interface ChangeOrigin {
  /** Whether no later change of the transaction follows. */
  readonly last?: boolean | undefined
  /** PostgreSQL's transaction id, of 32 bits. */
  readonly xid?: string | number | null | undefined
  readonly metadata?: { readonly mutationId?: string | number | null | undefined } | null | undefined
}

/** Which rows a list has, and in what order. */
export interface ListShape<Row extends object> {
  /** The field that distinguishes rows, or the fields: `'id'`, `['userId', 'teamId']`. */
  readonly key: (keyof Row & string) | readonly (keyof Row & string)[]
  /** Whether a row belongs to the list; rows that no longer do are removed. @default all */
  readonly where?: ((row: Row) => boolean) | undefined
  /** As of `Array.prototype.sort`. @default rows keep their place, new ones come last */
  readonly sort?: ((a: Row, b: Row) => number) | undefined
}

/**
 * The list after the change: INSERT adds, UPDATE replaces, moves or removes, DELETE removes, TRUNCATE clears. With `initial`, READ
 * adds, replaces or removes, and READY changes nothing. A change that has been applied before changes nothing. The same array where nothing differs; costs one pass over the list.
 */
export function applyChange<Row extends object>(
  list: readonly Row[],
  change: ListChange<Row>,
  shape: ListShape<Row>,
): readonly Row[] {
  if (change.action === 'READY') return list
  const keyOf = keyReader(shape)
  if (change.action === 'TRUNCATE') return list.length === 0 ? list : []
  const after = change.action === 'DELETE' ? null : (change.new ?? null)
  const before =
    keyOf(partBefore(change, shape, after ?? list[0])) ?? (after === null ? keyOf(change.key) : null)
  if (after === null) return without(list, before ?? '', keyOf)

  const key = keyOf(after) ?? ''
  const rest = before === null || before === key ? list : without(list, before, keyOf)
  const place = rest.findIndex((row) => keyOf(row) === key)
  // What was not sent for a row whose key changed stands in the row under its old key.
  const known = rest[place] ?? list.find((row) => keyOf(row) === before)
  const row = withKnown(after, known, change.unavailable)
  const isWanted = change.transition !== 'LEFT' && (shape.where?.(row) ?? true)
  if (!isWanted) return without(rest, key, keyOf)
  if (shape.sort !== undefined) return sortedIn(without(rest, key, keyOf), row, shape.sort)
  return place < 0 ? [...rest, row] : [...rest.slice(0, place), row, ...rest.slice(place + 1)]
}

/** Reads the key of a row, or of a part of one, as one text. */
export function keyReader<Row extends object>({ key }: Pick<ListShape<Row>, 'key'>) {
  const names = typeof key === 'string' ? [key] : key
  return (row: RowPart<Row> | null | undefined): string | null => formatKey(row, names)
}

/** In a model with a column `rowId` the id is called `rowId_`. */
function renamedId(row: { readonly rowId?: unknown }): unknown {
  return Reflect.get(row, 'rowId_') ?? row.rowId
}

/** What shows the key that the row had before: `old`, or `oldKey`; undefined where neither does. */
export function partBefore<Row extends object>(
  { old, oldKey }: Pick<ListChange<Row>, 'old' | 'oldKey'>,
  shape: Pick<ListShape<Row>, 'key'>,
  row: Row | undefined,
): RowPart<Row> | null | undefined {
  const keyOf = keyReader(shape)
  return [old, oldKey].map((part) => oldWithId(part, row)).find((part) => keyOf(part) !== null)
}

/** The row before; null where its `rowId` is a column of the rows and so no id. */
function oldWithId<Row extends object>(
  old: RowPart<Row> | null | undefined,
  row: Row | undefined,
): RowPart<Row> | null | undefined {
  const isColumn = row !== undefined && 'rowId' in row
  return isColumn && old != null && !('id' in old) && !('rowId_' in old) ? null : old
}

/** The values of key fields; null where the row does not show them all. */
export function keyValues<Row extends object>(
  row: RowPart<Row> | null | undefined,
  names: readonly (keyof Row & string)[],
): readonly unknown[] | null {
  if (!row) return null
  const values: readonly unknown[] = names.map(
    (name) => row[name] ?? (name === 'id' ? renamedId(row) : undefined),
  )
  return values.includes(undefined) ? null : values
}

/** One text for equal keys; null where the row does not show its key. */
function formatKey<Row extends object>(
  row: RowPart<Row> | null | undefined,
  names: readonly (keyof Row & string)[],
): string | null {
  const values = keyValues(row, names)
  if (values === null) return null
  // A schema of one's own may show as a number what is an ID in keys.
  const isNumber = (value: unknown) => typeof value === 'bigint' || typeof value === 'number'
  return JSON.stringify(values.map((value) => (isNumber(value) ? String(value) : value)))
}

function without<Row extends object>(
  list: readonly Row[],
  key: string,
  keyOf: (row: Row) => string | null,
): readonly Row[] {
  const rest = list.filter((row) => keyOf(row) !== key)
  return rest.length === list.length ? list : rest
}

function withKnown<Row extends object>(
  row: Row,
  known: Row | undefined,
  unavailable: readonly string[] = [],
): Row {
  if (known === undefined || unavailable.length === 0) return row
  const kept = Object.entries(known).filter(([name]) => unavailable.includes(name))
  return { ...row, ...Object.fromEntries(kept) }
}

/** Behind its equals. */
function sortedIn<Row>(list: readonly Row[], row: Row, sort: (a: Row, b: Row) => number): readonly Row[] {
  const place = list.findIndex((each) => sort(row, each) < 0)
  return place < 0 ? [...list, row] : [...list.slice(0, place), row, ...list.slice(place)]
}
