/**
 * Stage 6, bus. A condition on related rows, as a test against the keys that those rows have. Prisma's SQL is the model:
 * a to-many relation is an EXISTS, which is true or false; a to-one relation is a LEFT JOIN, where a condition that is null
 * of the related row stays null, and one of a row that is not there is false.
 */
import type { ModelCatalog, ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import { type RelationStep, relationSteps } from '../../catalog/relation-path.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import { badFilter, shownName, withoutOperator } from './bad-filter.ts'
import { ALWAYS, ANY_RELATED, allOf, type Condition, type KeySetSpec, negate } from './condition.ts'
import { domainOf } from './field-domain.ts'
import { isFilterObject } from './filter-object.ts'
import { mayBeNull } from './may-be-null.ts'
import type { ValueDomain } from './value-domain.ts'

/** How relations are read; without it they are refused. */
export interface RelationReading {
  /** How many relations a condition may follow, one behind the other. @default 3 */
  readonly hopsMax?: number | undefined
  /** Fields and relations of a related model that whoever filters must not learn of. @default none */
  readonly hiddenFieldsOf?: ((model: ModelSpec) => ReadonlySet<string>) | undefined
  /** Whether whoever filters must not learn which rows a relation puts together. @default it may be learned of all */
  readonly isHidden?: ((model: ModelSpec, relation: RelationSpec) => boolean) | undefined
  /** Whether groups without conditions are refused in the conditions on related rows, `OR: []` included. @default false */
  readonly refusesEmptyGroups?: boolean | undefined
}

/** The bound when nothing else is said. */
export const HOPS_MAX = 3

/** A relation in a filter. */
export interface RelationContext {
  readonly catalog: ModelCatalog
  readonly model: ModelSpec
  readonly relation: RelationSpec
  readonly path: string
  /** Whether an odd number of NOTs stands around, and so null is no answer that lets through. */
  readonly isNegated: boolean
  /** The same without that of `every`, which is a NOT of a NOT: less that matches is less that is shown. */
  readonly isUnderNot: boolean
  /** Parses the condition on the related rows. */
  readonly parse: (input: unknown, path: string, negation: Negation) => Condition
}

/** What stands around a condition. */
export type Negation = Pick<RelationContext, 'isNegated' | 'isUnderNot'>

const NOT_NEGATED: Negation = { isNegated: false, isUnderNot: false }

/** What a to-many or to-one relation is asked. */
type Operator = 'some' | 'none' | 'every' | 'is' | 'isNot'
const LIST_OPERATORS: ReadonlySet<string> = new Set<Operator>(['some', 'none', 'every'])
const ROW_OPERATORS: ReadonlySet<string> = new Set<Operator>(['is', 'isNot'])

/** Parses what a filter says of a relation. @throws BAD_FILTER */
export function parseRelation(context: RelationContext, input: unknown): readonly Condition[] {
  const { relation, path } = context
  const operators = relation.isList ? LIST_OPERATORS : ROW_OPERATORS
  if (!relation.isList && (input === null || !hasOperator(input))) {
    return [parseOperator(context, 'is', input, path)]
  }
  const allowed = `Use ${[...operators].join(', ')}.`
  if (!isFilterObject(input)) throw badFilter(path, 'a relation takes operators.', allowed)
  const entries = Object.entries(input)
  if (entries.length === 0) throw withoutOperator(path)
  return entries.map(([name, operand]) => {
    const at = `${path}.${shownName(name)}`
    if (!operators.has(name)) throw badFilter(at, 'a relation has no such operator.', allowed)
    if (operand === undefined) {
      const why = 'the value is undefined, which would match every row.'
      throw badFilter(at, why, 'Give a value, or leave the key out.')
    }
    return parseOperator(context, name as Operator, operand, at)
  })
}

/** `team: { name: 'x' }` is short for `team: { is: { name: 'x' } }`. */
function hasOperator(input: unknown): boolean {
  if (!isFilterObject(input)) return true
  const names = Object.keys(input)
  return names.length === 0 || names.some((name) => ROW_OPERATORS.has(name))
}

function parseOperator(
  context: RelationContext,
  operator: Operator,
  input: unknown,
  path: string,
): Condition {
  if (input === null) return parseAbsence(context, operator, path)
  const { parse, isNegated, isUnderNot } = context
  switch (operator) {
    case 'some':
      return relatedTo(context, input, parse(input, path, NOT_NEGATED), IS_TRUE)
    case 'none': {
      // Of none at all: less matches than where something is asked of them, so this is no filter that came out empty; under a NOT it may be.
      const isMeant = isEmpty(input) && !isUnderNot
      return negate(relatedTo(context, input, isMeant ? ALWAYS : parse(input, path, NOT_NEGATED), IS_TRUE))
    }
    case 'every': {
      const violation = negate(parse(input, path, { isNegated: true, isUnderNot: false }))
      return negate(relatedTo(context, { NOT: input }, violation, { counts: 'true', isNegated: true }))
    }
    case 'is':
      return toOne(context, input, path, { isNegated, isUnderNot })
    case 'isNot':
      return negate(toOne(context, input, path, { isNegated: !isNegated, isUnderNot: !isUnderNot }))
  }
}

function isEmpty(input: unknown): boolean {
  return isFilterObject(input) && Object.keys(input).length === 0
}

/** Under a NOT it has to be known of which related rows the condition is false, and not only of which it is not true. */
function toOne(context: RelationContext, input: unknown, path: string, negation: Negation): Condition {
  const condition = context.parse(input, path, negation)
  const { isNegated } = negation
  const related = context.catalog.models[context.relation.model] as ModelSpec
  const counts = isNegated && mayBeNull(condition, related) ? 'not false' : 'true'
  return relatedTo(context, input, condition, { counts, isNegated })
}

/** `is: null`: Prisma asks whether all of the foreign key is null where the model has it, and for other rows where not. */
function parseAbsence(context: RelationContext, operator: Operator, path: string): Condition {
  const { relation } = context
  if (relation.isList) throw badFilter(path, 'takes a condition on the related rows.', 'Write `{ … }`.')
  if (relation.isRequired) {
    throw badFilter(path, 'the relation is required, and never null.', 'Leave this part out.')
  }
  const isAbsent =
    relation.fields.length > 0
      ? allOf(relation.fields.map((field) => ({ kind: 'null', field })))
      : negate(relatedTo(context, {}, ANY_RELATED, IS_TRUE))
  return operator === 'isNot' ? negate(isAbsent) : isAbsent
}

/** What of the operator decides which keys are meant, beside the condition itself. */
interface Reading {
  readonly counts: KeySetSpec['counts']
  readonly isNegated: boolean
}

const IS_TRUE: Reading = { counts: 'true', isNegated: false }

/** A row's key is among those of the related rows that count. */
function relatedTo(
  context: RelationContext,
  input: unknown,
  condition: Condition,
  reading: Reading,
): Condition {
  const { catalog, model, relation, path } = context
  const steps = relationSteps(catalog, model, relation)
  let related = condition
  // The set depends on whose rows it has and on what is asked of them, and not on who asks.
  let text = canonicalText([reading.counts, reading.isNegated, input])
  for (const [index, step] of [...steps.entries()].reverse()) {
    const domains = domainsOf(catalog, steps[index - 1]?.model ?? model, step, path)
    text = text === null ? null : `${step.model.name}(${step.to.join()}) ${text}`
    const counts = index === steps.length - 1 ? reading.counts : 'true'
    const set = { model: step.model, fields: step.to, domains: domains.to, condition: related, counts, text }
    related = { kind: 'related', fields: step.from, domains: domains.from, set }
  }
  return related
}

/** Values of both ends are looked up in one set: they have to be of one type. */
function domainsOf(catalog: ModelCatalog, model: ModelSpec, step: RelationStep, path: string) {
  const domain = (owner: ModelSpec, name: string): ValueDomain | null => {
    const field = owner.fields.find((candidate) => candidate.name === name)
    return field === undefined || field.isList || field.type === 'Json' ? null : domainOf(field, catalog)
  }
  const pairs = step.from.map((name, index) => {
    const from = domain(model, name)
    const to = domain(step.model, step.to[index] ?? '')
    if (from === null || to === null || from.name !== to.name) {
      const why = `${model.name}.${name} and ${step.model.name}.${step.to[index]} are of types that are not compared here.`
      throw badFilter(path, why, 'Give both columns one type, or leave this part out.')
    }
    return { from, to }
  })
  return { from: pairs.map(({ from }) => from), to: pairs.map(({ to }) => to) }
}
