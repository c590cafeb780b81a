/**
 * Stage 7, graphql. Counts of related rows (`t.relationCount`): the rule of the model that is counted becomes part of what
 * Prisma counts, so that a count agrees with the list that the viewer gets. Where the list is hidden, so is the count.
 */

import type { GraphQLField } from 'graphql'
import { memberOf } from '../../member-of.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { selectedByPothos, withSelected } from '../pothos-internals.ts'
import { both } from '../reading/relation-link.ts'
import { relationNameOf } from '../shown-column.ts'

/** Arguments, context, and what Pothos passes beside them. */
type SelectOf = (args: object, context: object, ...rest: unknown[]) => unknown

/** Narrows the counts that a field of the model selects. */
export function guardCounts(
  field: GraphQLField<unknown, object>,
  model: string,
  policies: ViewerPolicies,
): void {
  const select = selectedByPothos(field.extensions)
  const canCount = typeof select === 'function' || countsOf({ select }) !== null
  if (!canCount || relationNameOf(field) !== null) return
  const selectOf = typeof select === 'function' ? (select as SelectOf) : () => ({ select })
  const guarded: SelectOf = (args, context, ...rest) => {
    const narrow = (selection: unknown) => narrowCounts(selection, { model, policies, context })
    const selection = selectOf(args, context, ...rest)
    return selection instanceof Promise ? selection.then(narrow) : narrow(selection)
  }
  field.extensions = withSelected(field.extensions, guarded)
}

/** Whose counts, and for whom. */
interface Counting {
  readonly model: string
  readonly policies: ViewerPolicies
  readonly context: object
}

function narrowCounts(selection: unknown, { model, policies, context }: Counting): unknown {
  const counts = countsOf(selection)
  if (counts === null) return selection
  const targets = new Map(Object.keys(counts).map((name) => [name, policies.relatedModel(model, name)]))
  const keys = Object.keys(counts).flatMap((name) => policies.foreignKey(model, name) ?? [])
  const asked = [...targets.values(), ...keys.map((key) => key.model)]
    .flatMap((each) => each ?? [])
    .filter((each) => policies.asksViewer(each))
  if (asked.length === 0) return selection
  const narrowed = () => {
    for (const key of keys) policies.checkVisible(context, key)
    const narrow = ([name, query]: [string, unknown]) =>
      [name, visibleOnly(query, targets.get(name))] as const
    const select = Object.fromEntries(Object.entries(counts).map(narrow))
    const { select: fields } = selection as { readonly select: object }
    return { ...(selection as object), select: { ...fields, _count: { select } } }
  }
  const visibleOnly = (query: unknown, target: string | null | undefined): unknown => {
    const rows = target == null ? null : policies.view(context, target).rows
    if (rows === null) return query
    const where = typeof query === 'object' && query !== null && 'where' in query ? query.where : null
    return { where: where == null ? rows.where : both(where, rows.where) }
  }
  return policies.arePrepared(context, asked) ? narrowed() : policies.prepare(context, asked).then(narrowed)
}

/** Relation name → what is counted of it; null where a selection counts nothing. */
function countsOf(selection: unknown): Readonly<Record<string, unknown>> | null {
  const counts = memberOf(memberOf(memberOf(selection, 'select'), '_count'), 'select')
  return typeof counts === 'object' && counts !== null ? (counts as Readonly<Record<string, unknown>>) : null
}
