/** Stage 7, graphql. The filter arguments of `<model>Changed`: `where`, `old`, `new` and `changed`. */
import type { EnumRef, InputFieldRef, SchemaTypes } from '@pothos/core'
import {
  type ChangeFilter,
  type ChangeFilterInput,
  parseChangeFilter,
} from '../../bus/filter/change-filter.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { AnyBuilder } from '../builder/builder-state.ts'
import { sharedChangeTypes } from '../builder/shared-change-types.ts'
import type { ModelView } from '../policy/viewer-policies.ts'
import { modelNames } from '../schema-names.ts'
import { defineWhereInput, hiddenNames } from './where-inputs.ts'
import { withPrismaNames } from './where-names.ts'

/** Defines an argument; what a field's `t.arg` is, its types forgotten. */
type DefineArgument = (options: {
  type: never
  required: false
  description: string
}) => InputFieldRef<SchemaTypes, unknown>

/** The arguments, for the `args` of the field. */
type FilterArguments = Record<keyof ChangeFilterInput, InputFieldRef<SchemaTypes, unknown>>

/**
 * Defines the input types now, so that the builder knows what they need before it is built; the arguments come
 * when Pothos asks for those of the field.
 */
export function defineFilterInputs(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  model: ModelSpec,
  options: { readonly omit: readonly string[]; readonly fieldName: EnumRef<SchemaTypes, string> },
): (define: DefineArgument) => FilterArguments {
  const { needed } = sharedChangeTypes(builder)
  const where = defineWhereInput(builder, catalog, model, {
    omit: options.omit,
    onNeeded: (name) => needed.add(name),
  })
  return (define) => {
    const argument = (type: unknown, description: string) =>
      define({ type: type as never, required: false, description })
    return {
      where: argument(
        where,
        'Which rows. A change is delivered when its row is, or was, one of them; `transition` says whether it enters ' +
          'them, stays among them or leaves them.',
      ),
      old: argument(where, 'What the row was like before: only UPDATE and DELETE can answer that.'),
      new: argument(where, 'What the row is like now: only INSERT and UPDATE can answer that.'),
      changed: argument([options.fieldName], 'At least one of these fields differs.'),
    }
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
