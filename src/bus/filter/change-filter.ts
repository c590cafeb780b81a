/**
 * Stage 6, bus. What a subscription wants of changes: conditions on the row as a whole (`where`), on one image
 * (`old`, `new`), on what differs (`changed`), and, from a policy, which rows its audience may see (`rows`).
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { CHANGE_ACTIONS, type ChangeAction } from '../../changes/change.ts'
import { RowcastError } from '../../errors.ts'
import { badFilter, shownName } from './bad-filter.ts'
import { compileCondition, type RowTest } from './compile-condition.ts'
import { type Condition, costOf, fieldsOf, keySetsOf } from './condition.ts'
import { FILTER_LIMITS } from './filter-budget.ts'
import { type ParseWhereOptions, parseWhere } from './parse-where.ts'
import type { KeySource } from './related-keys.ts'

/** The parts of a filter; a change has to meet all that are there. */
export interface ChangeConditions {
  /** The row is, or was, one of these: it enters them, stays among them, or leaves them. */
  readonly where: Condition | null
  /** The row before the change. */
  readonly old: Condition | null
  /** The row after the change. */
  readonly new: Condition | null
  /** At least one of these fields differs. */
  readonly changed: readonly string[] | null
  /** The rows that may be seen at all. An image that is none of them, or cannot be judged, is as if not there. */
  readonly rows: Condition | null
  /** What of a row may be seen: an UPDATE that leaves all of it as it was is not delivered. Null for all. */
  readonly visible: VisibleFields | null
}

/** Fields that an audience may see. */
export interface VisibleFields {
  readonly fields: ReadonlySet<string>
  /**
   * Whether an UPDATE of which that cannot be said, because the row before it was not sent, is delivered (of fields that
   * are left out for everybody), or is unanswerable (of fields that a policy hides).
   */
  readonly isDeliveredWhenUnknown: boolean
}

/** A filter, ready to judge changes of one model. */
export interface ChangeFilter extends ChangeConditions {
  /** What its own conditions, without a policy's, cost for a row, where comparing a value costs 1. */
  readonly cost: number
  /** Filters of one model with the same key judge alike, whatever comes; null where that is not known. Never empty. */
  readonly key: string | null
  readonly tests: Readonly<Record<'where' | 'old' | 'new' | 'rows', RowTest | null>>
}

/** The conditions of a filter, whatever they are asked of. */
export function conditionsOf(
  parts: Pick<ChangeConditions, 'where' | 'old' | 'new' | 'rows'>,
): readonly Condition[] {
  return [parts.rows, parts.where, parts.old, parts.new].filter((part) => part !== null)
}

/** Whether a condition of the filter asks other rows. */
export function asksRelatedRows(filter: ChangeFilter | null | undefined): filter is ChangeFilter {
  return filter != null && conditionsOf(filter).some((condition) => keySetsOf(condition).length > 0)
}

/** A filter as a subscription's arguments bring it. */
export interface ChangeFilterInput {
  readonly where?: unknown
  readonly old?: unknown
  readonly new?: unknown
  readonly changed?: readonly string[] | null | undefined
}

/**
 * Makes a filter of parsed parts; null when there is none.
 * @param keys where the keys of other rows are found; see `compileCondition`
 */
export function createChangeFilter(
  parts: Partial<ChangeConditions>,
  key: string | null = null,
  keys: KeySource | null = null,
): ChangeFilter | null {
  const { where = null, old = null, new: after = null, changed = null, rows = null, visible = null } = parts
  if ([where, old, after, changed, rows, visible].every((part) => part === null)) return null
  const compile = (condition: Condition | null) =>
    condition === null ? null : compileCondition(condition, keys)
  return {
    key,
    cost: [where, old, after].reduce((sum, part) => sum + (part === null ? 0 : costOf(part)), 0),
    where,
    old,
    new: after,
    changed,
    rows,
    visible,
    tests: { where: compile(where), old: compile(old), new: compile(after), rows: compile(rows) },
  }
}

/**
 * Parses the filter arguments of a subscription; null where there are none.
 * @throws BAD_FILTER naming the path, what is wrong and what is allowed there; FILTER_TOO_COSTLY.
 */
export function parseChangeFilter(
  model: ModelSpec,
  catalog: ModelCatalog,
  input: ChangeFilterInput,
  options: ParseWhereOptions & Partial<Pick<ChangeFilter, 'rows' | 'visible' | 'key'>> = {},
): ChangeFilter | null {
  const parse = (path: 'where' | 'old' | 'new') => {
    const given = input[path]
    return given === undefined || given === null
      ? null
      : parseWhere(model, catalog, given, { ...options, path })
  }
  const parts = {
    where: parse('where'),
    old: parse('old'),
    new: parse('new'),
    changed: parseChanged(model, input.changed, options.hiddenFields),
    rows: options.rows ?? null,
    visible: options.visible ?? null,
  }
  const filter = createChangeFilter(parts, options.key)
  checkFilterCost(filter?.cost ?? 0, options.limits?.costMax)
  return filter
}

/** Refuses what costs too much for a row. @throws FILTER_TOO_COSTLY */
export function checkFilterCost(cost: number, costMax: number = FILTER_LIMITS.costMax): void {
  if (cost <= costMax) return
  throw new RowcastError('FILTER_TOO_COSTLY', `The filter costs ${cost} a row, and may cost ${costMax}.`, {
    details: { cost, costMax },
  })
}

function parseChanged(
  model: ModelSpec,
  changed: unknown,
  hidden: ReadonlySet<string> | undefined,
): readonly string[] | null {
  if (changed === undefined || changed === null) return null
  const names = model.fields.map((field) => field.name).filter((name) => hidden?.has(name) !== true)
  const hint = `Name at least one of ${names.join(', ')}.`
  if (!Array.isArray(changed) || changed.length === 0) throw badFilter('changed', 'takes fields.', hint)
  const unknown = changed.findIndex((name) => !names.includes(name))
  if (unknown >= 0) {
    throw badFilter(`changed[${unknown}]`, `there is no field ${shownName(String(changed[unknown]))}.`, hint)
  }
  return [...new Set<string>(changed)]
}

/** What of a change a filter reads. */
export interface RequiredImages {
  /** Whether it needs whole old rows, which PostgreSQL sends under REPLICA IDENTITY FULL only. */
  readonly needsOldImage: boolean
  readonly oldFields: ReadonlySet<string>
  readonly newFields: ReadonlySet<string>
}

/** What of changes with these actions the filter reads. */
export function requiredImages(
  filter: ChangeFilter,
  actions: readonly ChangeAction[] = CHANGE_ACTIONS,
): RequiredImages {
  const onEither = [filter.where, filter.rows]
  const isUpdated = actions.includes('UPDATE')
  const hasOld = isUpdated || actions.includes('DELETE')
  const hasNew = isUpdated || actions.includes('INSERT')
  const oldFields = hasOld ? fieldsOfAll([...onEither, filter.old]) : new Set<string>()
  return {
    needsOldImage:
      (hasOld && (filter.where !== null || filter.old !== null)) ||
      (isUpdated && (filter.changed !== null || filter.visible?.isDeliveredWhenUnknown === false)),
    oldFields: isUpdated ? new Set([...oldFields, ...(filter.changed ?? [])]) : oldFields,
    newFields: hasNew ? fieldsOfAll([...onEither, filter.new]) : new Set<string>(),
  }
}

function fieldsOfAll(conditions: readonly (Condition | null)[]): Set<string> {
  return new Set(conditions.flatMap((condition) => (condition === null ? [] : [...fieldsOf(condition)])))
}

/**
 * Refuses a filter that could never be answered: on old rows of a table that does not send them. So are rows of a policy that asks for more than the key,
 * which is sent: nobody would hear that a row is gone.
 * @throws BAD_FILTER with the statement that makes PostgreSQL send them.
 */
export function checkImagesAreSent(
  filter: ChangeFilter,
  model: ModelSpec,
  options: { readonly hasOldImages: boolean; readonly actions?: readonly ChangeAction[] | undefined },
): void {
  if (options.hasOldImages) return
  checkLeavingIsSeen(filter, model, options.actions)
  if (!requiredImages(filter, options.actions).needsOldImage) return
  const part = filter.old !== null ? 'old' : filter.where !== null ? 'where' : 'changed'
  if (part === 'changed' && filter.changed === null) {
    throw badFilter(
      'action',
      `an UPDATE of ${model.name} cannot be distinguished from one of fields that are hidden from you: ` +
        'PostgreSQL does not send the row before it.',
      'Set the replica identity of the table to FULL (rowcast.enable() does), or leave UPDATE out of `action`.',
    )
  }
  throw badFilter(
    part,
    `it needs the row before the change, which PostgreSQL does not send for ${model.name}.`,
    'Set the replica identity of the table to FULL (rowcast.enable() does), or ask for action: INSERT only' +
      `${part === 'old' ? ', without `old`' : ''}.`,
  )
}

/** @throws BAD_FILTER where a row could be gone for its viewer and nobody knew */
function checkLeavingIsSeen(
  { rows }: ChangeFilter,
  model: ModelSpec,
  actions: readonly ChangeAction[] = CHANGE_ACTIONS,
): void {
  if (rows === null || !actions.some((action) => action === 'UPDATE' || action === 'DELETE')) return
  if ([...fieldsOf(rows)].every((field) => model.primaryKey.includes(field))) return
  throw badFilter(
    'action',
    `whether an UPDATE or a DELETE of ${model.name} takes a row out of your sight cannot be seen: PostgreSQL does not send the row before it.`,
    'Set the replica identity of the table to FULL (rowcast.enable() does), or ask for action: INSERT only.',
  )
}
