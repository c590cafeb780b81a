/** Stage 7, graphql. The filter arguments of `<model>Changed`: `where`, `old`, `new` and `changed`. */
import {
  type ChangeFilter,
  type ChangeFilterInput,
  createChangeFilter,
  parseChangeFilter,
} from '../../bus/filter/change-filter.ts'
import { UNBOUNDED_FILTER } from '../../bus/filter/filter-budget.ts'
import { HOPS_MAX } from '../../bus/filter/parse-relation.ts'
import { parseWhere } from '../../bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { ChangeTypeNames } from '../change-type-names.ts'
import type { ModelView, RelatedViews } from '../policy/viewer-policies.ts'
import type { ArgumentDefinition } from '../type-definition.ts'
import { relatedModels, relationReading, withRelatedRules } from './related-rules.ts'
import { hiddenNames } from './where-inputs.ts'
import { withPrismaNames } from './where-names.ts'

/** The arguments, with the input that `whereTypes` gives and the enum of the model's fields. */
export function filterArguments({
  where,
  field,
}: ChangeTypeNames): Readonly<Record<keyof ChangeFilterInput, ArgumentDefinition>> {
  return {
    where: {
      type: where,
      description:
        'Which rows. A change is delivered when its row is, or was, one of them; `transition` says whether it enters ' +
        'them, stays among them or leaves them.',
    },
    old: {
      type: where,
      description: 'What the row was like before: only UPDATE and DELETE can answer that.',
    },
    new: { type: where, description: 'What the row is like now: only INSERT and UPDATE can answer that.' },
    changed: { type: `[${field}!]`, description: 'At least one of these fields differs.' },
  }
}

/**
 * The filter that the arguments and the viewer's rights describe; null where every change is delivered.
 * @throws BAD_FILTER naming the path, what is wrong and what is allowed there.
 */
export function parseFilterArguments(
  catalog: ModelCatalog,
  { model, omit, related }: FilteredModel,
  input: ChangeFilterInput,
  view: Omit<ModelView, 'text'> & Partial<ModelView>,
): ChangeFilter | null {
  const hiddenFields = new Set([...hiddenNames(model, omit), ...view.hidden])
  const names = model.fields.map((field) => field.name)
  const fields = new Set(names.filter((name) => !hiddenFields.has(name)))
  const named = withPrismaNames(catalog, model, input)
  const asked = related === undefined ? [] : [...relatedModels(catalog, model, named)].sort()
  const texts = [view.text ?? null, ...asked.map((name) => related?.view(name).text ?? null)]
  const filter = parseChangeFilter(model, catalog, named, {
    hiddenFields,
    emptyObjects: 'refuse',
    relations: related === undefined ? undefined : relationReading(related),
    key: keyOf(omit, input, texts),
    rows: view.rows?.condition ?? null,
    visible: fields.size === names.length ? null : { fields, isDeliveredWhenUnknown: view.hidden.size === 0 },
  })
  const hasRules = asked.some((name) => related?.view(name).rows !== null)
  return related === undefined || filter === null || !hasRules
    ? filter
    : withRules(catalog, { filter, named, model }, related)
}

/** The filter of one model. */
interface FilteredModel {
  readonly model: ModelSpec
  readonly omit: readonly string[]
  /** What the viewer may see of the models that the filter leads to. @default filters lead to none */
  readonly related?: RelatedViews | undefined
}

/** What is asked of related rows is asked of those that the viewer may see. It was parsed, and its bounds hold for what he wrote. */
function withRules(
  catalog: ModelCatalog,
  { filter, named, model }: { filter: ChangeFilter; named: ChangeFilterInput; model: ModelSpec },
  related: RelatedViews,
): ChangeFilter | null {
  const ruled = (part: 'where' | 'old' | 'new') => {
    if (filter[part] === null) return null
    return parseRuled(model, catalog, withRelatedRules(catalog, model, named[part], related))
  }
  const { where, old, new: after } = { where: ruled('where'), old: ruled('old'), new: ruled('new') }
  return createChangeFilter({ ...filter, where, old, new: after }, filter.key)
}

/** Parses a filter with the policies of related models in it: they may follow relations of their own. */
export function parseRuled(model: ModelSpec, catalog: ModelCatalog, where: object) {
  const relations = { hopsMax: 2 * HOPS_MAX }
  return parseWhere(model, catalog, where, { relations, limits: UNBOUNDED_FILTER })
}

/** All that a filter is made of, as one text. */
function keyOf(
  omit: readonly string[],
  input: ChangeFilterInput,
  texts: readonly (string | null)[],
): string | null {
  const given = canonicalText(input)
  return given === null || texts.includes(null) ? null : JSON.stringify([given, texts, omit])
}
