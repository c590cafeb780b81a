/** Stage 7, graphql. The filter arguments of `<model>Changed`: `where`, `old`, `new` and `changed`. */
import {
  type ChangeFilter,
  type ChangeFilterInput,
  parseChangeFilter,
} from '../../bus/filter/change-filter.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { ModelView } from '../policy/viewer-policies.ts'
import { type ChangeTypeNames, modelNames } from '../schema-names.ts'
import type { ArgumentDefinition } from '../type-definition.ts'
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
 * @throws BAD_FILTER naming the place, what is wrong and what is allowed there.
 */
export function parseFilterArguments(
  catalog: ModelCatalog,
  { model, omit }: { readonly model: ModelSpec; readonly omit: readonly string[] },
  input: ChangeFilterInput,
  view: Omit<ModelView, 'text'> & Partial<ModelView>,
): ChangeFilter | null {
  const hiddenFields = new Set([...hiddenNames(model, omit), ...view.hidden])
  const names = model.fields.map((field) => field.name)
  const fields = new Set(names.filter((name) => !hiddenFields.has(name)))
  return parseChangeFilter(model, catalog, withPrismaNames(modelNames(catalog, model.name), input), {
    hiddenFields,
    emptyObjects: 'refuse',
    key: keyOf(omit, input, view),
    rows: view.rows?.condition ?? null,
    visible: fields.size === names.length ? null : { fields, isDeliveredWhenUnknown: view.hidden.size === 0 },
  })
}

/** All that a filter is made of, as one text. */
function keyOf(
  omit: readonly string[],
  input: ChangeFilterInput,
  { text = null }: Partial<ModelView>,
): string | null {
  const given = canonicalText(input)
  return given === null || text === null ? null : JSON.stringify([given, text, omit])
}
