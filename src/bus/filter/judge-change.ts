/** Stage 6, bus. Whether a change is what a filter asks for, and whether its row enters, stays or leaves. */
import { UnrepresentableValue } from '../../catalog/values/unrepresentable-value.ts'
import type { AnyChange, AnyRow } from '../../changes/change.ts'
import { keyBefore } from '../../changes/key-before.ts'
import { type ChangeFilter, requiredImages, type VisibleFields } from './change-filter.ts'
import type { RowTest } from './compile-condition.ts'
import { FALSE, type Outcome, TRUE } from './outcome.ts'

/** What a change means for the rows that a filter describes. */
export type Transition = 'ENTERED' | 'STAYED' | 'LEFT'

/** What came of judging a change. */
export interface Judgement {
  /** `unknown`: it depends on values that PostgreSQL did not send; see `missingValues`. */
  readonly verdict: 'match' | 'miss' | 'unknown'
  /** Null without `where` and `rows`, and where it depends on values that were not sent. */
  readonly transition: Transition | null
  /** Whether the policy keeps the image from its audience: it must be delivered as null. */
  readonly hidesOld: boolean
  readonly hidesNew: boolean
}

/** A row; null where the change has none, or none to be seen; undefined where it was not sent. */
type Image = AnyRow | null | undefined
/** Undefined: depends on what was not sent. */
type Answer = boolean | undefined

/** An image that was not sent: a condition that asks for a value of it is open, one that asks for none is not. */
const NOTHING_SENT: AnyRow = {}

/**
 * Judges a change of the filter's model.
 * @param past the filter as it judges the row before: one that asks other rows may have another answer by then
 */
export function judgeChange(filter: ChangeFilter, change: AnyChange, past: ChangeFilter = filter): Judgement {
  if (change.action === 'TRUNCATE') return judgeTruncate(filter)
  const { tests } = filter
  const sentNew = newImage(change)
  const sentOld = oldImage(change)
  const after = seen(sentNew, tests.rows)
  const wasSeen = sentOld === undefined ? wasSeenByKey(change, past.tests.rows) : true
  const isOldOpen = wasSeen === undefined
  const before = sentOld !== undefined ? seen(sentOld, past.tests.rows) : wasSeen === false ? null : undefined
  const wasAmong = isAmong(before, past)
  const wasIn = isOldOpen && wasAmong === true ? undefined : wasAmong
  const isIn = isAmong(after, filter)
  const verdict = verdictOf([
    wasIn === true || isIn === true ? true : wasIn === false && isIn === false ? false : undefined,
    past.tests.old === null ? true : answerOf(outcomeOn(before, past.tests.old)),
    tests.new === null ? true : answerOf(outcomeOn(after, tests.new)),
    filter.changed === null ? true : hasChanged(filter.changed, change, before, after),
    filter.visible === null ? true : hasChangedVisibly(filter.visible, change, before, after),
    isOldOpen ? undefined : true,
  ])
  const hasTransition = verdict !== 'miss' && (filter.where !== null || filter.rows !== null)
  return {
    verdict,
    transition: hasTransition ? transitionOf(wasIn, isIn) : null,
    hidesOld: before === null && sentOld !== null,
    hidesNew: after === null && sentNew !== null,
  }
}

/** Values that a filter needed and that the change does not have. */
export interface MissingValues {
  readonly image: 'old' | 'new'
  /** Null for the whole image. */
  readonly fields: readonly string[] | null
}

/**
 * What kept a change from being judged, for the log and the error: of the fields that the filter reads, those
 * that PostgreSQL did not send and those with a value that no row can show. Without a filter, of all fields.
 */
export function missingValues(
  change: AnyChange,
  filter: ChangeFilter | null = null,
): readonly MissingValues[] {
  const { oldFields, newFields } = filter === null ? ALL_FIELDS : requiredImages(filter)
  return [
    ...missingOf('old', oldImage(change), oldFields, []),
    ...missingOf('new', newImage(change), newFields, change.unavailable),
  ]
}

const ALL_FIELDS = { oldFields: null, newFields: null }

function missingOf(
  image: 'old' | 'new',
  row: Image,
  read: ReadonlySet<string> | null,
  unsent: readonly string[],
): readonly MissingValues[] {
  if (row === null) return []
  if (row === undefined) return [{ image, fields: null }]
  const fields = [...unsent, ...Object.keys(row).filter((name) => row[name] instanceof UnrepresentableValue)]
  const relevant = fields.filter((name) => read === null || read.has(name))
  return relevant.length === 0 ? [] : [{ image, fields: relevant }]
}

/** The row before: null where there was none, undefined where it was not sent. */
export function oldImage({ action, old }: AnyChange): Image {
  return action === 'INSERT' || action === 'TRUNCATE' ? null : (old ?? undefined)
}

/** The row after: null where there is none. */
export function newImage(change: AnyChange): Image {
  return change.action === 'DELETE' || change.action === 'TRUNCATE' ? null : (change.new ?? undefined)
}

/** A truncate empties every set of rows, and says nothing of any row. */
function judgeTruncate(filter: ChangeFilter): Judgement {
  const isAskedFor = filter.old === null && filter.new === null && filter.changed === null
  const hasTransition = isAskedFor && (filter.where !== null || filter.rows !== null)
  return {
    verdict: isAskedFor ? 'match' : 'miss',
    transition: hasTransition ? 'LEFT' : null,
    hidesOld: false,
    hidesNew: false,
  }
}

/** What a policy lets through. What it cannot judge it does not. */
function seen(image: Image, rows: RowTest | null): Image {
  if (rows === null || image === null) return image
  return image !== undefined && rows(image) === TRUE ? image : null
}

/**
 * Whether a policy let a row through of which only the key was sent, which may be all that it asks. Where it is not, nobody knows: hiding the row would
 * leave it in the lists of those who saw it.
 */
function wasSeenByKey(change: AnyChange, rows: RowTest | null): Answer {
  return rows === null ? true : answerOf(rows(keyBefore(change) ?? NOTHING_SENT))
}

/** Whether the image is among the rows the filter describes; true for all that may be seen where it has no `where`. */
function isAmong(image: Image, { tests }: ChangeFilter): Answer {
  if (tests.where === null) return image !== null
  return answerOf(outcomeOn(image, tests.where))
}

function outcomeOn(image: Image, test: RowTest): Outcome {
  if (image === null) return FALSE
  return test(image ?? NOTHING_SENT)
}

/** SQL keeps a row when its condition is true; null keeps it out as false does. */
function answerOf(outcome: Outcome): Answer {
  if (outcome === TRUE) return true
  return (outcome & TRUE) === 0 ? false : undefined
}

/** A row that comes into sight is new in all its fields, one that goes out of sight in none. */
function hasChanged(fields: readonly string[], change: AnyChange, before: Image, after: Image): Answer {
  if (after === null) return false
  if (before === null) return true
  return before === undefined ? undefined : change.changed.some((field) => fields.includes(field))
}

/** An UPDATE that changed nothing is delivered to everybody: that it comes discloses no hidden field. */
function hasChangedVisibly(visible: VisibleFields, change: AnyChange, before: Image, after: Image): Answer {
  if (change.action !== 'UPDATE' || before === null || after === null) return true
  if (before === undefined) return visible.isDeliveredWhenUnknown ? true : undefined
  const { changed } = change
  return changed.length === 0 || changed.some((field) => visible.fields.has(field))
}

function verdictOf(answers: readonly Answer[]): Judgement['verdict'] {
  if (answers.includes(false)) return 'miss'
  return answers.includes(undefined) ? 'unknown' : 'match'
}

function transitionOf(wasIn: Answer, isIn: Answer): Transition | null {
  if (wasIn === undefined || isIn === undefined) return null
  if (wasIn && isIn) return 'STAYED'
  return isIn ? 'ENTERED' : 'LEFT'
}
