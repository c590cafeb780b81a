/**
 * Stage 7, graphql. A change of any model as people read it: names of fields with the values before and after, as
 * text. Shows a viewer no more than the model's own subscription would. Pure.
 */
import { TRUE } from '../../bus/filter/outcome.ts'
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyChange, AnyRow, ChangeAction } from '../../changes/change.ts'
import { keyFields, visibleFields } from '../field-type.ts'
import type { ModelView } from '../policy/viewer-policies.ts'

/** A value, for people. */
export interface ShownValue {
  readonly name: string
  /** Null for NULL. */
  readonly value: string | null
}

/** One field of a change. */
export interface FieldDiff {
  readonly name: string
  /** Null for NULL, and where there is no row before. */
  readonly old: string | null
  /** Null for NULL, and where there is no row after. */
  readonly new: string | null
}

/** One change. */
export interface ChangeDiff {
  readonly model: string
  readonly action: ChangeAction
  readonly key: readonly ShownValue[]
  readonly hasOld: boolean
  readonly hasNew: boolean
  /** What differs for an UPDATE, all that is known for INSERT and DELETE. */
  readonly fields: readonly FieldDiff[]
}

/** A model as the schema shows it. */
export interface ShownModel {
  readonly spec: ModelSpec
  /** Fields that nobody sees. */
  readonly omit: readonly string[]
}

const VALUE_LENGTH_MAX = 160

/** The diff; null where the viewer may not know of the change. */
export function diffChange(
  change: AnyChange,
  { spec, omit }: ShownModel,
  view: ModelView,
): ChangeDiff | null {
  const fields = visibleFields(spec, omit).filter((field) => !view.hidden.has(field.name))
  const old = visibleImage(change.old, view)
  const now = visibleImage(change.new, view)
  const isOfRows = change.action !== 'TRUNCATE'
  if (isOfRows && view.rows !== null && old === null && now === null) return null
  // An image that the viewer may not see does not disclose itself by what differs, nor by its key either.
  const isWhole = change.action !== 'UPDATE' || hidesImage(change, old, now)
  const shown = isWhole ? fields : fields.filter(({ name }) => differs(change, name))
  const isOfHidden = shown.length === 0 && fields.length < spec.fields.length
  if (change.action === 'UPDATE' && (isOfHidden || mayBeOfHidden(change, view))) return null
  return {
    model: change.model,
    action: change.action,
    key: showKey(hidesImage(change, old, now) ? (now ?? old) : change.key, spec, fields),
    hasOld: old !== null,
    hasNew: now !== null,
    fields: isOfRows ? shown.flatMap((field) => showField(field, old, now)) : [],
  }
}

/** Where the old row is not known, nobody can say whether a field was changed that the viewer sees: who is refused some is shown none. */
function mayBeOfHidden({ old }: AnyChange, { hidden }: ModelView): boolean {
  return old === null && hidden.size > 0
}

/** Where the old row is not known, PostgreSQL does not say what differs either: all that came is shown. */
function differs(change: AnyChange, name: string): boolean {
  return change.old === null || change.changed.includes(name)
}

function visibleImage(row: AnyRow | null, { rows }: ModelView): AnyRow | null {
  return row === null || rows === null || rows.test(row) === TRUE ? row : null
}

function hidesImage(change: AnyChange, old: AnyRow | null, now: AnyRow | null): boolean {
  return (change.old !== null && old === null) || (change.new !== null && now === null)
}

function showKey(key: AnyRow | null, spec: ModelSpec, fields: readonly FieldSpec[]): readonly ShownValue[] {
  if (key === null) return []
  const parts = keyFields(spec).filter((field) => fields.includes(field))
  return parts.map(({ name }) => ({ name, value: formatValue(key[name]) }))
}

/** Fields that neither image has are unavailable: not sent, which is not the same as null. */
function showField({ name }: FieldSpec, old: AnyRow | null, now: AnyRow | null): readonly FieldDiff[] {
  const isKnown = (old !== null && name in old) || (now !== null && name in now)
  return isKnown ? [{ name, old: formatValue(old?.[name]), new: formatValue(now?.[name]) }] : []
}

/** A value as one short line; null for NULL and what is not there. */
function formatValue(value: unknown): string | null {
  if (value === null || value === undefined) return null
  const text = formatWhole(value)
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text
}

function formatWhole(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString()
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`
  if (Array.isArray(value)) return `[${value.map((item) => formatWhole(item)).join(', ')}]`
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return JSON.stringify(value)
  }
  return String(value)
}
