/** Stage 7, graphql. What the list of a model's rows is asked with: `where`, `orderBy`, `first`, `after`, `take` and `skip`. */
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { isSeekable, rowKeyOf } from '../../sets/seek.ts'
import type { AnyBuilder } from '../builder/builder-state.ts'
import { defineTypes, refOf } from '../builder/define-types.ts'
import { graphqlTypeName, visibleFields } from '../field-type.ts'
import { firstArgument, pageArguments } from '../pagination.ts'
import { modelNames } from '../schema-names.ts'
import type { ServiceBuilder, ServiceModel } from '../service-types.ts'
import type { EnumDefinition, InputDefinition } from '../type-definition.ts'

/** The arguments of a list on the root; what makes no sense for the model is left out. */
export function listArguments(builder: ServiceBuilder, catalog: ModelCatalog, model: ServiceModel) {
  const inputs = listInputs(builder as never, catalog, model)
  const ref = (name: string) => refOf(builder as never, name)
  return builder.args((t) => {
    const optional = (type: unknown, description: string) =>
      t.field({ type: type as never, required: false, description })
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

/** Fields that rows can be ordered by: visible, one value, of a type that is compared. */
function orderableFields(
  catalog: ModelCatalog,
  model: ModelSpec,
  omit: readonly string[],
): readonly FieldSpec[] {
  return visibleFields(model, omit).filter((field) => !field.isList && domainOf(field, catalog) !== null)
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
  const inputOf = (fields: readonly FieldSpec[], typeOf: (field: FieldSpec) => string) =>
    Object.fromEntries(
      fields.map((field) => {
        const { name, documentation } = field
        const described = documentation === null ? {} : { description: documentation }
        return [names.fields.get(name) ?? name, { type: typeOf(field), ...described }]
      }),
    )
  const orderBy: InputDefinition = {
    kind: 'input',
    name: names.orderBy,
    description: `One field that rows of ${spec.name} are ordered by. PostgreSQL puts nulls last where it ascends, and first where it descends.`,
    fields: inputOf(ordered, () => SORT_ORDER.name),
  }
  const after: InputDefinition = {
    kind: 'input',
    name: names.after,
    description: `What a row of ${spec.name} has in its key, and in each field of \`orderBy\`.`,
    fields: inputOf(ordered.filter(isSeekable), (field) => graphqlTypeName(catalog, spec, field)),
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

/** Prisma's enum of the same name. */
const SORT_ORDER: EnumDefinition = {
  kind: 'enum',
  name: 'SortOrder',
  description: 'Which way rows are ordered.',
  values: {
    ASC: { value: 'asc', description: 'From the least to the greatest.' },
    DESC: { value: 'desc', description: 'From the greatest to the least.' },
  },
}
