/** Beside the spine, sets. A `where` of Prisma that follows relations, as if related rows that are marked as deleted were not there. Pure. */
import type { ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'

type Where = Readonly<Record<string, unknown>>

/** Whose rows are marked. */
export interface MarkReading {
  readonly catalog: ModelCatalog
  /** See `unmarkedWhere`. */
  readonly unmarkedOf: (model: ModelSpec) => object | null
}

const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

/** @param where as Prisma Client takes it; it was parsed, and so has only what the model has */
export function withoutMarked(reading: MarkReading, model: ModelSpec, where: object): Where {
  const own: Record<string, unknown> = {}
  const ofRelations: Where[] = []
  for (const [name, value] of Object.entries(where)) {
    const relation = model.relations.find((each) => each.name === name)
    if (relation !== undefined) ofRelations.push(...ofRelation(reading, relation, value))
    else if (!GROUPS.has(name)) own[name] = value
    else
      own[name] = Array.isArray(value)
        ? value.map((part) => withoutMarked(reading, model, part))
        : withoutMarked(reading, model, value)
  }
  return ofRelations.length === 0 ? own : beside(own, ...ofRelations)
}

/** One condition for each operator. */
function ofRelation(reading: MarkReading, relation: RelationSpec, value: unknown): readonly Where[] {
  const related = reading.catalog.models[relation.model] as ModelSpec
  const unmarked = reading.unmarkedOf(related)
  // `team: { name: 'x' }` is short for `team: { is: { name: 'x' } }`.
  const isShort = !relation.isList && (value === null || !('is' in Object(value) || 'isNot' in Object(value)))
  return Object.entries(isShort ? { is: value } : Object(value)).map(([operator, operand]): Where => {
    if (operand === null) return { [relation.name]: absence(relation, operator, unmarked) }
    const asked = withoutMarked(reading, related, operand as object)
    return {
      [relation.name]: unmarked === null ? { [operator]: asked } : ofUnmarked(operator, asked, unmarked),
    }
  })
}

/** `is: null` and `isNot: null` ask the row's own foreign key, where it has one. */
function absence({ fields }: RelationSpec, operator: string, unmarked: object | null): Where {
  if (fields.length > 0 || unmarked === null) return { [operator]: null }
  return { [operator === 'is' ? 'isNot' : 'is']: unmarked }
}

/** The operator, asked of rows that are not marked. */
function ofUnmarked(operator: string, asked: Where, unmarked: object): Where {
  if (operator !== 'every') return { [operator]: beside(asked, unmarked) }
  // At the root of what is asked, an OR of nothing is true of no row; what is empty otherwise is true of all.
  if (asked['OR'] !== undefined && isEmpty({ AND: asked['OR'] })) return { none: unmarked }
  return { every: isEmpty(asked) ? asked : { OR: [{ NOT: unmarked }, asked] } }
}

/** Whether Prisma leaves it out of a group. */
function isEmpty(where: object): boolean {
  return Object.entries(where).every(
    ([name, value]) => GROUPS.has(name) && [value].flat().every((part) => isEmpty(part)),
  )
}

/** What is asked keeps its root: `OR: []` means nothing else there than in a group. */
function beside(where: Where, ...others: readonly object[]): Where {
  return { ...where, AND: [...[where['AND'] ?? []].flat(), ...others] }
}
