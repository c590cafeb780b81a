/** Stage 7, graphql. What the list of a model's rows is asked with: `where`, `orderBy`, `first`, `after`, `take` and `skip`. */
import type { FieldSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { isSeekable, rowKeyOf } from '../sets/seek.ts'
import { defineTypes, refOf } from './builder/define-types.ts'
import { type AnyBuilder, anyBuilder, untyped } from './builder/untyped-builder.ts'
import { graphqlTypeName } from './field-type.ts'
import { inputFields, orderableFields, orderInput, SORT_ORDER } from './listing/order-input.ts'
import { firstArgument, pageArguments } from './pagination.ts'
import { modelNames } from './schema-names.ts'
import type { ServiceBuilder, ServiceModel } from './service-types.ts'
import type { InputDefinition } from './type-definition.ts'

/** The arguments of a list on the root; what makes no sense for the model is left out. */
export function listArguments(
  builder: ServiceBuilder,
  catalog: ModelCatalog,
  model: ServiceModel,
): Readonly<Record<string, object>> {
  const inputs = listInputs(anyBuilder(builder), catalog, model)
  const ref = (name: string) => refOf(anyBuilder(builder), name)
  return untyped(builder).args((t) => {
    const optional = (type: unknown, description: string) => t.field({ type, required: false, description })
    const { where, orderBy, after } = inputs
    return {
      where: optional(ref(where), 'Which rows: the same filter as that of the subscription.'),
      ...(orderBy === null
        ? {}
        : {
            orderBy: optional(
              [ref(orderBy)],
              'In which order: rows that are equal by the first of these stand in the order of the next, and at last in that of their key.',
            ),
          }),
      ...(after === null
        ? {}
        : {
            ...firstArgument(builder),
            after: optional(
              ref(after),
              'Only the rows behind these values, which are those of the last row of the page before. That row may be gone.',
            ),
          }),
      ...pageArguments(builder),
    }
  })
}

/** Whether pages can begin behind a row: what distinguishes its rows can be seen, and asked for by its values. */
function hasKeyPages(model: ModelSpec, omit: readonly string[]): boolean {
  const key = rowKeyOf(model)
  const isShown = ({ isOmitted, name }: FieldSpec) => !isOmitted && !omit.includes(name)
  return key.length > 0 && key.every((field) => isShown(field) && isSeekable(field))
}

/** Names of inputs, which are defined; null for what makes no sense for the model. */
interface ListInputs {
  readonly where: string
  readonly orderBy: string | null
  readonly after: string | null
}

function listInputs(builder: AnyBuilder, catalog: ModelCatalog, { spec, omit }: ServiceModel): ListInputs {
  const names = modelNames(catalog, spec.name)
  const ordered = orderableFields(catalog, spec, omit)
  const orderBy = orderInput(spec, names, ordered)
  const after: InputDefinition = {
    kind: 'input',
    name: names.after,
    description: `What a row of ${spec.name} has in its key, and in each field of \`orderBy\`.`,
    fields: inputFields(
      names,
      ordered.filter((field) => isSeekable(field)),
      (field) => graphqlTypeName(catalog, spec, field),
    ),
  }
  const isOrdered = ordered.length > 0
  const hasPages = hasKeyPages(spec, omit)
  defineTypes(builder, [...(isOrdered ? [SORT_ORDER, orderBy] : []), ...(hasPages ? [after] : [])])
  return {
    where: names.where,
    orderBy: isOrdered ? orderBy.name : null,
    after: hasPages ? after.name : null,
  }
}
