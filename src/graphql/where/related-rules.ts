/**
 * Stage 7, graphql. What a viewer may ask of related rows. A related row that he may not see is none: what he asks is asked of those
 * rows only that the policy of their model lets him see, in queries and in subscriptions alike.
 */
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import { mayBeNull } from '../../bus/filter/may-be-null.ts'
import type { RelationReading } from '../../bus/filter/parse-relation.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { RelatedViews, ViewerRows } from '../policy/viewer-policies.ts'
import { hiddenNames } from './where-inputs.ts'
import { GROUPS, relatedModelOf } from './where-names.ts'

type Where = Readonly<Record<string, unknown>>

/** Models whose rows a filter asks for, at any distance. @param input with Prisma's names */
export function relatedModels(
  catalog: ModelCatalog,
  model: ModelSpec,
  { where, old, new: after }: ChangeFilterInput,
): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (of: ModelSpec, part: unknown): void => {
    if (Array.isArray(part)) for (const each of part) visit(of, each)
    else if (typeof part === 'object' && part !== null)
      for (const [name, value] of Object.entries(part)) {
        if (GROUPS.has(name)) visit(of, value)
        const related = relatedModelOf(catalog, of, name)
        if (related === null) continue
        found.add(related.name)
        for (const operand of Object.values(Object(value))) visit(related, operand)
      }
  }
  for (const part of [where, old, after]) visit(model, part)
  return found
}

/** How the viewer's own filter is read. */
export function relationReading(views: RelatedViews): RelationReading {
  return {
    hiddenFieldsOf: (model) => new Set([...hiddenNames(model), ...views.view(model.name).hidden]),
    isHidden: (model, relation) => views.hidesKey(model.name, relation.name),
    refusesEmptyGroups: true,
  }
}

/**
 * The filter with the policies of the related models beside what it asks of them.
 * @param where with Prisma's names, as it was parsed: groups have conditions, and a relation has operators
 */
export function withRelatedRules(
  catalog: ModelCatalog,
  model: ModelSpec,
  where: unknown,
  views: RelatedViews,
): Where {
  const ruled = (of: ModelSpec, part: unknown): Where => {
    const entries = Object.entries(Object(part)).map(([name, value]) => {
      if (GROUPS.has(name))
        return [name, Array.isArray(value) ? value.map((each) => ruled(of, each)) : ruled(of, value)]
      const relation = of.relations.find((each) => each.name === name)
      const related = relatedModelOf(catalog, of, name)
      if (relation === undefined || related === null) return [name, value]
      return [name, operatorsOf(value, related, views, (operand) => ruled(related, operand))]
    })
    return Object.fromEntries(entries)
  }
  return ruled(model, where)
}

function operatorsOf(
  value: unknown,
  related: ModelSpec,
  views: RelatedViews,
  ruled: (operand: unknown) => Where,
): Where {
  const { rows } = views.view(related.name)
  // `team: null` is short for `team: { is: null }`.
  const given = value === null ? { is: null } : Object(value)
  const asked = Object.entries(given).map(
    ([operator, operand]) => [operator, operand === null ? null : ruled(operand)] as const,
  )
  if (rows === null) return Object.fromEntries(asked)
  const is: object[] = []
  const isNot: object[] = []
  const others: Record<string, object> = {}
  for (const [operator, operand] of asked) {
    if (operand === null) (operator === 'is' ? isNot : is).push(rows.where)
    else if (operator === 'is') is.push(ofVisible(operand, related, rows))
    else if (operator === 'isNot') isNot.push(ofVisible(operand, related, rows))
    else others[operator] = operator === 'every' ? orHidden(operand, rows) : beside(operand, rows)
  }
  return {
    ...others,
    ...(is.length === 0 ? {} : { is: is.length === 1 ? is[0] : { AND: is } }),
    ...(isNot.length === 0 ? {} : { isNot: isNot.length === 1 ? isNot[0] : { OR: isNot } }),
  }
}

/** What is asked keeps its root: `OR: []` means nothing else there than in a group. */
function beside(where: Where, rows: ViewerRows): Where {
  return { ...where, AND: [...[where['AND'] ?? []].flat(), rows.where] }
}

/** True of whatever is not to be seen: `every` asks the others. */
function orHidden(where: Where, rows: ViewerRows): Where {
  return { OR: [{ NOT: rows.where }, where] }
}

/**
 * A to-one relation can be null, and a NOT around it would turn what is false into true. Where the policy is null of a row, the whole
 * has to be null whatever is asked of it: else it could be learned. A policy that asks other rows can be null of what they have.
 */
function ofVisible(where: Where, related: ModelSpec, rows: ViewerRows): Where {
  if (!rows.asksRows && !mayBeNull(rows.condition, related)) return beside(where, rows)
  return { AND: [rows.where, orHidden(where, rows)] }
}
