/** Sets, between stages 6 and 7. Relations whose changes a subscription hears of: what is asked for by name, and what is refused. Pure. */
import { badFilter, shownName } from '../bus/filter/bad-filter.ts'
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import { relatedTests } from '../bus/filter/condition.ts'
import { parseWhere } from '../bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { isJoinTable } from '../catalog/relation-path.ts'
import type { IncludedRelation } from './included-relation.ts'

/** Relations that one subscription includes. */
const INCLUDES_MAX = 8

/**
 * The relations named.
 * @param filterOf which related rows may be seen; null for all. @default all
 * @throws BAD_FILTER
 */
export function includedRelations(
  model: ModelSpec,
  catalog: ModelCatalog,
  names: unknown,
  filterOf: (related: ModelSpec) => ChangeFilter | null = () => null,
): readonly IncludedRelation[] {
  const all = model.relations.filter(({ isList }) => isList).map(({ name }) => name)
  const hint = all.length === 0 ? `${model.name} has none.` : `Name some of ${all.join(', ')}.`
  if (!Array.isArray(names) || names.length === 0)
    throw badFilter('include', 'takes to-many relations.', hint)
  if (names.length > INCLUDES_MAX)
    throw badFilter('include', `names more than ${INCLUDES_MAX} relations.`, 'Name fewer.')
  return [...new Set<unknown>(names)].map((name, index): IncludedRelation => {
    const path = `include[${index}]`
    if (typeof name !== 'string' || !all.includes(name))
      throw badFilter(path, `there is no to-many relation ${shownName(String(name))}.`, hint)
    // As `some` of them is read: by which values a row is found from the related one.
    const [test] = relatedTests(parseWhere(model, catalog, { [name]: { some: {} } }, { relations: {} }))
    if (test === undefined || isJoinTable(test.set.model))
      throw badFilter(
        path,
        `${name} goes through a join table, whose rows are no rows of a model.`,
        'Give the join table a model of its own, and include the relation to that.',
      )
    const { fields, domains, set } = test
    return { name, filter: filterOf(set.model), fields, domains, related: set }
  })
}

/** What is refused beside it: rows are asked for with `where` alone. @throws BAD_FILTER */
export function checkIncludesAlone(others: Readonly<Record<string, unknown>>): void {
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? []
  if (other !== undefined)
    throw badFilter(other, 'it is not asked for beside `include`.', 'Leave one of the two out.')
}
