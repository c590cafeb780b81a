/** Stage 7, graphql. What the list of a model's rows is asked with: `where`, `orderBy`, `first`, `after`, `take` and `skip`. */
import type { EnumRef, InputObjectRef, SchemaTypes } from '@pothos/core'
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { isSeekable, rowKeyOf } from '../../sets/seek.ts'
import { type AnyBuilder, stateOf } from '../builder/builder-state.ts'
import { graphqlTypeName, visibleFields } from '../field-type.ts'
import { firstArgument, pageArguments } from '../pagination.ts'
import { modelNames } from '../schema-names.ts'
import type { ServiceBuilder, ServiceModel } from '../service-types.ts'
import { defineWhereInput } from '../where/where-inputs.ts'

/** The arguments of a list on the root; what makes no sense for the model is left out. */
export function listArguments(builder: ServiceBuilder, catalog: ModelCatalog, model: ServiceModel) {
  const inputs = listInputs(builder as never, catalog, model)
  return builder.args((t) => {
    const optional = (type: object, description: string) =>
      t.field({ type: type as never, required: false, description })
    const { where, orderBy, after } = inputs
    return {
      where: optional(where, 'Which rows: the same filter as that of the subscription.'),
      ...(orderBy === null
        ? {}
        : {
            orderBy: optional(
              [orderBy],
              'In which order: rows that are equal by the first of these stand in the order of the next, and at last in that of their key.',
            ),
          }),
      ...(after === null
        ? {}
        : {
            ...firstArgument(builder),
            after: optional(
              after,
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

interface ListInputs {
  readonly where: InputObjectRef<SchemaTypes, object>
  readonly orderBy: InputObjectRef<SchemaTypes, object> | null
  readonly after: InputObjectRef<SchemaTypes, object> | null
}

function listInputs(builder: AnyBuilder, catalog: ModelCatalog, { spec, omit }: ServiceModel): ListInputs {
  const names = modelNames(catalog, spec.name)
  const nameOf = ({ name }: FieldSpec) => names.fields.get(name) ?? name
  const described = ({ documentation }: FieldSpec) =>
    documentation === null ? {} : { description: documentation }
  const ordered = orderableFields(catalog, spec, omit)
  const sortOrder = ordered.length === 0 ? null : sortOrderOf(builder)
  return {
    where: defineWhereInput(builder, catalog, spec, { omit }),
    orderBy:
      sortOrder &&
      builder.inputRef<object>(names.orderBy).implement({
        description: `One field that rows of ${spec.name} are ordered by. PostgreSQL puts nulls last where it ascends, and first where it descends.`,
        fields: (t) =>
          Object.fromEntries(
            ordered.map((field) => [
              nameOf(field),
              t.field({ type: sortOrder, required: false, ...described(field) }),
            ]),
          ),
      }),
    after: !hasKeyPages(spec, omit)
      ? null
      : builder.inputRef<object>(names.after).implement({
          description: `What a row of ${spec.name} has in its key, and in each field of \`orderBy\`.`,
          fields: (t) =>
            Object.fromEntries(
              ordered.filter(isSeekable).map((field) => [
                nameOf(field),
                t.field({
                  type: graphqlTypeName(catalog, spec, field) as never,
                  required: false,
                  ...described(field),
                }),
              ]),
            ),
        }),
  }
}

/** Prisma's enum of the same name. */
function sortOrderOf(builder: AnyBuilder): EnumRef<SchemaTypes, string> {
  const { filterEnums } = stateOf(builder)
  const known = filterEnums.get('SortOrder')
  if (known !== undefined) return known
  const ref = builder.enumType('SortOrder', {
    description: 'Which way rows are ordered.',
    values: {
      ASC: { value: 'asc', description: 'From the least to the greatest.' },
      DESC: { value: 'desc', description: 'From the greatest to the least.' },
    },
  }) as EnumRef<SchemaTypes, string>
  filterEnums.set('SortOrder', ref)
  return ref
}
