/**
 * Stage 7, graphql. Counts of related rows (`t.relationCount`): the rule of the model that is counted becomes part of what
 * Prisma counts, so that a count agrees with the list that the viewer gets. Where the list is hidden, so is the count.
 */

import type { GraphQLField } from 'graphql'
import { hasMembers, memberOf } from '../../member-of.ts'
import { DECIDED_BY } from '../policy/selected-models.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { selectedByPothos, withSelected } from '../pothos-internals.ts'
import { both } from '../reading/relation-link.ts'
import { relationNameOf } from '../shown-column.ts'

/** Arguments, context, and what Pothos passes beside them. */
type SelectOf = (args: object, context: object, ...rest: unknown[]) => unknown

/** Narrows the counts that a field of the model selects, and notes on the field whose rows it counts. */
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
  // What is selected may depend on arguments: then any relation may be counted.
  const counted = countsOf({ select })
  const models = modelsOf(counted === null ? policies.relationsOf(model) : Object.keys(counted), {
    model,
    policies,
  })
  field.extensions = { ...withSelected(field.extensions, guarded), [DECIDED_BY]: models }
}

/** Whose counts, and for whom. */
interface Counting {
  readonly model: string
  readonly policies: ViewerPolicies
  readonly context: object
}

/** Models whose policies decide about counts of these relations: those that are counted, and those that have the keys. */
function modelsOf(
  relations: readonly string[],
  { model, policies }: Pick<Counting, 'model' | 'policies'>,
): readonly string[] {
  const found = relations.flatMap((name) => [
    policies.relatedModel(model, name),
    policies.foreignKey(model, name)?.model,
  ])
  return [...new Set(found.flatMap((each) => each ?? []))]
}

function narrowCounts(selection: unknown, { model, policies, context }: Counting): unknown {
  const counts = countsOf(selection)
  if (counts === null) return selection
  const targets = new Map(Object.keys(counts).map((name) => [name, policies.relatedModel(model, name)]))
  const keys = Object.keys(counts).flatMap((name) => policies.foreignKey(model, name) ?? [])
  const asked = modelsOf(Object.keys(counts), { model, policies }).filter((each) => policies.asksViewer(each))
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
  return hasMembers(counts) ? counts : null
}
