/**
 * Stage 6, bus. From what a user wrote to a condition: the shape of Prisma's `where`, read as Prisma reads it,
 * validated against the model. What cannot be judged from one row is refused here, with the reason; relations are read
 * where the caller can answer for other rows.
 */
import type { FieldSpec, ModelCatalog, ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import { badFilter, shownName, withoutOperator } from './bad-filter.ts'
import { ALWAYS, allOf, anyOf, type Condition, NEVER, negate } from './condition.ts'
import { domainOf, whyIncomparable } from './field-domain.ts'
import { type FieldContext, parseFieldFilter } from './field-filter.ts'
import { createFilterBudget, FILTER_LIMITS, type FilterBudget, type FilterLimits } from './filter-budget.ts'
import { isFilterObject } from './filter-object.ts'
import { JSON_DOMAIN } from './json-domain.ts'
import { parseJsonFilter } from './json-filter.ts'
import { parseListFilter } from './list-filter.ts'
import { HOPS_MAX, type Negation, parseRelation, type RelationReading } from './parse-relation.ts'

/** How a filter is read. */
export interface ParseWhereOptions {
  /** Fields and relations that whoever filters must not learn of: as if the model did not have them. */
  readonly hiddenFields?: ReadonlySet<string> | undefined
  /**
   * What a group without conditions means below the root. Prisma drops it, so that `{ AND: [a, { OR: [] }] }` is
   * `a` alone; a policy had better be refused than widened. @default 'drop'
   */
  readonly emptyGroups?: 'drop' | 'refuse' | undefined
  /**
   * What `{}` means where an object of conditions stands. Prisma takes it for every row. Behind JSON it had better be
   * refused: what a client leaves undefined is gone there, and `{ name: undefined }` has become `{}`. @default 'every row'
   */
  readonly emptyObjects?: 'every row' | 'refuse' | undefined
  /** Where the filter stands, for errors. @default 'where' */
  readonly path?: string | undefined
  readonly limits?: Partial<FilterLimits> | undefined
  /** How conditions on related rows are read. @default they are refused */
  readonly relations?: RelationReading | undefined
}

type Grouping = 'AND' | 'OR' | 'NOT'

/** What does not change from one path of the filter to the next. */
interface Reading {
  readonly model: ModelSpec
  readonly catalog: ModelCatalog
  readonly hidden: ReadonlySet<string>
  readonly refusesEmptyGroups: boolean
  readonly refusesEmptyObjects: boolean
  readonly relations: RelationReading | null
  readonly budget: FilterBudget
}

/** Where in the filter. */
interface Place {
  readonly path: string
  /** 0 at the root. */
  readonly depth: number
  /** Whether no group stands around: at the root, and at that of a relation's own filter. */
  readonly isRoot: boolean
  /** Whether an odd number of NOTs stands around, that of `every` included. */
  readonly isNegated: boolean
  /** Whether an odd number of those that were written does, since the nearest list of related rows. */
  readonly isUnderNot: boolean
  /** How many relations lead here. */
  readonly hops: number
}

/**
 * Parses a `where`, as GraphQL coerces it or as a library's user writes it.
 * @throws BAD_FILTER naming the path, what is wrong and what is allowed there.
 */
export function parseWhere(
  model: ModelSpec,
  catalog: ModelCatalog,
  where: unknown,
  options: ParseWhereOptions = {},
): Condition {
  const reading: Reading = {
    model,
    catalog,
    hidden: options.hiddenFields ?? new Set(),
    refusesEmptyGroups: options.emptyGroups === 'refuse',
    refusesEmptyObjects: options.emptyObjects === 'refuse',
    relations: options.relations ?? null,
    budget: createFilterBudget({ ...FILTER_LIMITS, ...options.limits }),
  }
  const root = {
    path: options.path ?? 'where',
    depth: 0,
    isRoot: true,
    isNegated: false,
    isUnderNot: false,
    hops: 0,
  }
  return parseObject(reading, where, root) ?? ALWAYS
}

/** One `{ … }`: all its parts have to hold. Null when it has none. */
function parseObject(reading: Reading, input: unknown, place: Place): Condition | null {
  if (!isFilterObject(input)) throw badFilter(place.path, 'takes an object.', 'Write `{ field: … }`.')
  reading.budget.checkDepth(place.path, place.depth)
  const entries = Object.entries(input)
  if (reading.refusesEmptyObjects && entries.length === 0) {
    throw badFilter(place.path, 'an empty filter would match every row.', emptyObjectHint(place))
  }
  const conditions: Condition[] = []
  for (const [key, value] of entries) {
    const path = `${place.path}.${shownName(key)}`
    if (value === undefined) {
      const why = 'the value is undefined, which would match every row.'
      throw badFilter(path, why, 'Give a value, or leave the key out.')
    }
    const isGrouping = key === 'AND' || key === 'OR' || key === 'NOT'
    const condition = isGrouping
      ? parseGroup(reading, key, value, { ...place, path })
      : parseField(reading, key, value, { ...place, path })
    if (condition !== null) conditions.push(condition)
  }
  return conditions.length === 0 ? null : allOf(conditions)
}

function emptyObjectHint({ path, depth }: Place): string {
  return depth === 0
    ? `Give the values that are missing, or leave \`${path}\` out (or null) for every row.`
    : 'Give the values that are missing, or leave this part out.'
}

/** A group of conditions. Prisma drops what is empty, and a whole group that is left empty, except at the root of a filter. */
function parseGroup(reading: Reading, grouping: Grouping, input: unknown, place: Place): Condition | null {
  reading.budget.spendTerm(place.path)
  if (grouping === 'OR' && !Array.isArray(input))
    throw badFilter(place.path, 'takes a list.', 'Write `OR: […]`.')
  const inner = {
    ...place,
    depth: place.depth + 1,
    isRoot: false,
    isNegated: place.isNegated !== (grouping === 'NOT'),
    isUnderNot: place.isUnderNot !== (grouping === 'NOT'),
  }
  const parts = Array.isArray(input)
    ? input.map((part, index) => parseObject(reading, part, { ...inner, path: `${place.path}[${index}]` }))
    : [parseObject(reading, input, { ...inner, path: place.path })]
  const conditions = parts.filter((part) => part !== null)
  const isEmptied = conditions.length === 0 || conditions.length < parts.length
  const isStrict = place.hops > 0 && reading.relations?.refusesEmptyGroups === true
  const matchesNothing = grouping === 'OR' && place.isRoot && parts.length === 0 && !isStrict
  if ((reading.refusesEmptyGroups || isStrict) && isEmptied && !matchesNothing) {
    const why = 'a part without conditions would be left out, and the filter match more rows than meant.'
    throw badFilter(place.path, why, 'Leave the part out, or name what is to match.')
  }
  if (conditions.length === 0) return !place.isRoot ? null : grouping === 'OR' ? NEVER : ALWAYS
  if (grouping === 'OR') return anyOf(conditions)
  return allOf(grouping === 'AND' ? conditions : conditions.map(negate))
}

function parseField(reading: Reading, name: string, input: unknown, place: Place): Condition | null {
  const { catalog, budget, model } = reading
  const relation = reading.hidden.has(name) ? undefined : model.relations.find((other) => other.name === name)
  const isHidden = relation !== undefined && reading.relations?.isHidden?.(model, relation) === true
  if (relation !== undefined && reading.relations !== null && !isHidden) {
    return parseRelated(reading, relation, input, { relations: reading.relations, ...place })
  }
  const hidden = isHidden ? new Set([...reading.hidden, name]) : reading.hidden
  const field = fieldOf({ model, hidden }, name, place.path)
  if (field.type === 'Json' && field.kind === 'scalar') {
    if (!field.isList)
      return parseJsonFilter({ field, budget, isNegated: place.isNegated }, input, place.path)
    return parseListFilter(jsonListContext(field, budget, input, place.path), input, place.path)
  }
  const domain = domainOf(field, catalog)
  if (domain !== null) {
    const context = { field, domain, budget }
    const parse = field.isList ? parseListFilter : parseFieldFilter
    return parse(context, input, place.path)
  }
  return parseNullTest(field, input, place.path)
}

/** A relation: a filter of its own on the rows of another model. */
function parseRelated(
  reading: Reading,
  relation: RelationSpec,
  input: unknown,
  place: Place & { readonly relations: RelationReading },
): Condition {
  const { catalog, budget, model } = reading
  const { hopsMax = HOPS_MAX, hiddenFieldsOf } = place.relations
  budget.spendTerm(place.path)
  if (place.hops >= hopsMax) {
    throw badFilter(place.path, `it is more than ${hopsMax} relations away.`, 'Begin nearer to it.')
  }
  const related = catalog.models[relation.model] as ModelSpec
  const inner: Reading = { ...reading, model: related, hidden: hiddenFieldsOf?.(related) ?? new Set() }
  const parse = (given: unknown, path: string, negation: Negation): Condition => {
    const at = { path, ...negation, isRoot: true, depth: place.depth + 1, hops: place.hops + 1 }
    return parseObject(inner, given, at) ?? ALWAYS
  }
  return allOf(parseRelation({ catalog, model, relation, parse, ...place }, input))
}

/** json, other than jsonb, has no equality: of its lists only the whole can be compared. */
function jsonListContext(field: FieldSpec, budget: FilterBudget, input: unknown, path: string): FieldContext {
  if (field.nativeType === 'Json' && isFilterObject(input) && !Object.hasOwn(input, 'equals')) {
    throw badFilter(
      path,
      'PostgreSQL has no equality for json, only for jsonb.',
      'Use `equals`, or no filter.',
    )
  }
  return { field, domain: JSON_DOMAIN, budget }
}

/** What is left where values cannot be compared. */
function parseNullTest(field: FieldSpec, input: unknown, path: string): Condition {
  const operators = isFilterObject(input) ? Object.entries(input) : [['equals', input] as const]
  const [operator, operand] = operators[0] ?? []
  if (operator === undefined) throw withoutOperator(path)
  if (
    operators.length === 1 &&
    !field.isRequired &&
    !field.isList &&
    operand === null &&
    (operator === 'equals' || operator === 'not')
  ) {
    const isNull: Condition = { kind: 'null', field: field.name }
    return operator === 'not' ? negate(isNull) : isNull
  }
  const why = whyIncomparable(field) ?? `values of type ${field.type} cannot be compared`
  throw badFilter(path, `${why}.`, 'Use `equals: null` or `not: null`, or no filter on this field.')
}

/** A field that may be filtered on. @throws BAD_FILTER for relations and for what the model does not have. */
function fieldOf(
  { model, hidden }: Pick<Reading, 'model' | 'hidden'>,
  name: string,
  path: string,
): FieldSpec {
  const visible = model.fields.filter((field) => !hidden.has(field.name))
  const field = visible.find((candidate) => candidate.name === name)
  if (field !== undefined) return field
  const relation = model.relations.find((candidate) => candidate.name === name && !hidden.has(name))
  if (relation !== undefined) {
    const keys = relation.fields.filter((key) => !hidden.has(key))
    throw badFilter(
      path,
      'this is a relation, and a change carries the values of its own row only.',
      keys.length > 0 ? `Filter on ${keys.join(', ')}.` : `Filter the changes of ${relation.model} instead.`,
    )
  }
  const names = visible.map((candidate) => candidate.name).join(', ')
  throw badFilter(path, `${model.name} has no such field.`, `Use one of ${names}.`)
}
