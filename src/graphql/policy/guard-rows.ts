/**
 * Stage 7, graphql. The net under every field that gives rows of a model: whatever resolver found them, rows that the
 * viewer may not see are left out, and fields that are hidden from the viewer cannot be read.
 */

import { TRUE } from '../../bus/filter/outcome.ts'
import type { AnyRow } from '../../changes/change.ts'
import { isThenable } from '../../metadata-schema.ts'
import { fieldHidden } from './field-hidden.ts'
import type { ModelView, ViewerRows } from './viewer-policies.ts'

/** The value of a field as the viewer may see it: a row or null, rows, or promises of them. */
export function guardRows(
  value: unknown,
  model: string,
  view: ModelView,
  isVisible: AskDatabase = () => Promise.resolve(false),
): unknown {
  if (view.rows === null && view.hidden.size === 0) return value
  return guardEach(value, (row) => guardRow(row, model, view, isVisible))
}

/** By which rule a row is asked for, and for whom. */
export interface VisibilityQuestion {
  readonly model: string
  readonly rows: Pick<ViewerRows, 'where'>
  readonly context: object
}

/** Who asks the database which rows may be seen. */
export interface RowVisibility {
  isVisible(row: AnyRow, question: VisibilityQuestion): Promise<boolean>
}

/** Whether the database says that the viewer may see the row: of a rule that asks other rows. */
export type AskDatabase = (row: AnyRow) => Promise<boolean>

/** What becomes of each row; null leaves it out of a list. */
type GuardRow = (row: AnyRow) => unknown

/** The same for whatever judges one row, at once or by and by. */
export function guardEach(value: unknown, guard: GuardRow): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isThenable(value)) return Promise.resolve(value).then((settled) => guardEach(settled, guard))
  if (!isIterable(value)) return guard(value as AnyRow)
  const guarded = [...value].map((item) => guardEach(item, guard))
  return guarded.some(isThenable) ? Promise.all(guarded).then(withoutHidden) : withoutHidden(guarded)
}

function withoutHidden(items: readonly unknown[]): readonly unknown[] {
  return items.filter((item) => item !== null)
}

function guardRow(
  row: AnyRow,
  model: string,
  { rows, hidden }: ModelView,
  isVisible: AskDatabase,
): AnyRow | null | Promise<AnyRow | null> {
  const outcome = rows === null ? TRUE : rows.test(row)
  if (outcome === TRUE) return hideFields(row, model, hidden)
  // What cannot be judged, because it was not loaded, is not shown.
  if (rows?.asksRows !== true || (outcome & TRUE) === 0) return null
  return isVisible(row).then((isSeen) => (isSeen ? hideFields(row, model, hidden) : null))
}

/**
 * A copy of the row in which reading a hidden field throws; the row itself where none is hidden.
 * @throws FIELD_HIDDEN when such a field is read, not before.
 */
export function hideFields(row: AnyRow, model: string, hidden: ReadonlySet<string>): AnyRow {
  if (hidden.size === 0) return row
  const visible: AnyRow = Object.create(Object.getPrototypeOf(row), Object.getOwnPropertyDescriptors(row))
  for (const field of hidden) {
    // Not enumerable, so that copying or printing the row neither throws nor discloses.
    Object.defineProperty(visible, field, {
      enumerable: false,
      configurable: true,
      get() {
        throw fieldHidden(model, field)
      },
    })
  }
  return visible
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value
}
