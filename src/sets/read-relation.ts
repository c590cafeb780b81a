/**
 * Beside the spine, sets. Relations that the rows of a list show, and whose changes do not say which rows they concern: the keys stand in a join
 * table, or other rows decide who sees what. Their related rows are read with the rows. Pure.
 */
import type { Delivery } from '../bus/bus.ts'
import { allSetsOf, type Condition } from '../bus/filter/condition.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'
import { isJoinTable, type RelationStep, relationSteps } from '../catalog/relation-path.ts'
import { RowcastError } from '../errors.ts'
import type { IncludedRelation } from './included-relation.ts'
import { hasReadableKeys } from './join-table-rows.ts'
import { concernedKeys, domainsOf } from './list-relations.ts'
import { isSeekable } from './seek.ts'

/** One step, and how its values are compared. */
export interface ReadStep extends RelationStep {
  readonly domains: IncludedRelation['domains']
}

/** One relation. */
export interface ReadRelation {
  readonly name: string
  /** Equal for viewers who see the same related rows; null where that is not known. */
  readonly seen: string | null
  readonly steps: readonly ReadStep[]
  /** The first step: what belongs to a row. */
  readonly first: IncludedRelation
  /** The last: what is shown. */
  readonly last: Pick<IncludedRelation, 'related'>
  /** Whether it is shown by what need not follow it, such as a count: then too many rows end no list. */
  readonly isOptional: boolean
  /** Which related rows are seen, for Prisma; null for all. */
  readonly where: object | null
  /** Fields of them that are seen. */
  readonly fields: readonly string[]
  /** Models any of whose changes may decide who sees what. */
  readonly deciding: ReadonlySet<string>
}

/** What the viewer sees of the related model. */
export interface SeenRows extends Pick<ReadRelation, 'seen' | 'fields' | 'isOptional'> {
  readonly rows: { readonly where: object; readonly condition: Condition } | null
}

/** It; null where its rows cannot be asked for by the values that they have in common. */
export function readRelation(
  { catalog, model, relation }: { catalog: ModelCatalog; model: ModelSpec; relation: RelationSpec },
  { seen, fields, isOptional, rows }: SeenRows,
): ReadRelation | null {
  const all = relationSteps(catalog, model, relation)
  const steps = all.flatMap((step, index): ReadStep[] => {
    const domains = domainsOf(catalog, step.model, step.to)
    const fromDomains = domainsOf(catalog, all[index - 1]?.model ?? model, step.from)
    const isSame = domains?.every((each, at) => each.name === fromDomains?.[at]?.name) === true
    const specs = step.to.map((name) => step.model.fields.find((field) => field.name === name))
    const isAsked = specs.every((field) => field !== undefined && isSeekable(field))
    const isReadable = !isJoinTable(step.model) || hasReadableKeys(step.model)
    return domains !== null && isSame && isAsked && isReadable ? [{ ...step, domains }] : []
  })
  const [first, last] = [steps[0], steps.at(-1)]
  if (steps.length < all.length) return null
  if (first === undefined || last === undefined || last.model.primaryKey.length === 0) return null
  const { name } = relation
  const related = ({ model, to, domains }: ReadStep) => ({ model, fields: to, domains })
  const deciding = rows === null ? [] : allSetsOf(rows.condition).map((set) => set.model.name)
  // Whose it is says the join table alone.
  if (rows !== null && steps.length > 1) deciding.push(last.model.name)
  return {
    ...{ name, seen, fields, isOptional, steps, deciding: new Set(deciding), where: rows?.where ?? null },
    first: { name, filter: null, fields: first.from, domains: first.domains, related: related(first) },
    last: { related: related(last) },
  }
}

/** Names of all models whose changes may concern it. */
export function modelsOf({ steps, deciding }: ReadRelation): ReadonlySet<string> {
  return new Set([...steps.map(({ model }) => model.name), ...deciding])
}

/** Changes of a model do not come that the policy of a related one asks. */
export function policyUnfollowed(model: string, why: string, hint: string): RowcastError {
  const happened = `The policy \`rows\` of ${model} follows other rows: ${why}.`
  return new RowcastError('POLICY_FAILED', happened, { hint })
}

/** Whether a change that concerns it may be of nothing that the viewer sees. */
export function mayBeOfHidden({ where, fields, last }: ReadRelation): boolean {
  return where !== null || last.related.model.fields.some(({ name }) => !fields.includes(name))
}

/** Rows that are kept. */
interface ShowingRows {
  /** Whether what they show by a relation was read. */
  isFollowed(relation: string): boolean
  /** Whether rows have related ones by one of the keys; null for all rows. */
  hasRelated(relation: IncludedRelation, keys: ReadonlySet<ValueKey> | null): boolean
  /** Whether related rows with one of the keys are shown, or may be. */
  mayShow(relation: string, keys: ReadonlySet<ValueKey> | null): boolean
}

/** Whether rows that are kept may be shown otherwise after a change. */
export function mayConcern(rows: ShowingRows, delivery: Delivery, relation: ReadRelation): boolean {
  const { deciding, first, last, name } = relation
  const { model } = delivery.change
  // To read it again would end as before: nobody would be shown anything.
  if (!rows.isFollowed(name)) return false
  if (deciding.has(model)) return true
  return model === first.related.model.name
    ? rows.hasRelated(first, concernedKeys(delivery, first))
    : rows.mayShow(name, concernedKeys(delivery, last))
}
