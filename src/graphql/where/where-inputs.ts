/**
 * Stage 7, graphql. `UserWhere` and the inputs it is made of, in the shape of Prisma's `where`. What GraphQL makes
 * of such an argument is what `parseChangeFilter` reads; nothing is translated in between.
 */
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import { graphqlTypeName, visibleFields, visibleRelations } from '../field-type.ts'
import { modelNames } from '../schema-names.ts'
import type { InputDefinition, TypeDefinition } from '../type-definition.ts'
import { type FieldShape, fieldFilterName, fieldFilterTypes } from './where-field-inputs.ts'
import { GROUPS } from './where-names.ts'

/** What a `where` of one model may speak of. */
export interface WhereInputOptions {
  /** Fields that clients must not learn of. */
  readonly omit?: readonly string[] | undefined
  /** Models that it may follow relations to: each has an input of its own in the schema. @default none */
  readonly related?: ReadonlySet<string> | undefined
}

/** The input type of a model's filter, first, and those of its fields' filters; models share these. */
export function whereTypes(
  catalog: ModelCatalog,
  model: ModelSpec,
  { omit, related = new Set() }: WhereInputOptions = {},
): readonly TypeDefinition[] {
  const names = modelNames(catalog, model.name)
  const name = names.where
  const types: TypeDefinition[] = []
  const own = filterableFields(catalog, model, omit).map((field) => {
    const shape = shapeOf(catalog, model, field)
    const filter = fieldFilterName(catalog, shape)
    types.push(...fieldFilterTypes(filter, shape))
    const { documentation } = field
    return [
      names.fields.get(field.name) ?? field.name,
      { type: filter, ...(documentation === null ? {} : { description: documentation }) },
    ] as const
  })
  const relations = visibleRelations(catalog, model, omit)
    .map((relation) => ({ relation, shown: names.fields.get(relation.name) ?? relation.name }))
    .filter(({ relation, shown }) => related.has(relation.model) && !GROUPS.has(shown))
  const followed = relations.map(({ relation, shown }) => {
    const filter = relationFilter(catalog, relation)
    types.push(filter)
    const { documentation } = relation
    return [
      shown,
      { type: filter.name, ...(documentation === null ? {} : { description: documentation }) },
    ] as const
  })
  const input: TypeDefinition = {
    kind: 'input',
    name,
    description:
      `Which rows of ${model.name}: all that is said has to hold. The shape, and how nulls count, is that of ` +
      'Prisma’s `where`.',
    fields: {
      ...Object.fromEntries([...own, ...followed]),
      AND: { type: `[${name}!]`, description: 'All of these.' },
      OR: { type: `[${name}!]`, description: 'At least one of these; of an empty list none.' },
      NOT: { type: `[${name}!]`, description: 'None of these.' },
    },
  }
  return [input, ...types]
}

/** What a relation is asked: models that lead to the same one share it. */
function relationFilter(catalog: ModelCatalog, { model, isList }: RelationSpec): InputDefinition {
  const { where, toOne, toMany } = modelNames(catalog, model)
  const of = (description: string) => ({ type: where, description })
  return isList
    ? {
        kind: 'input',
        name: toMany,
        description: `What the related rows of ${model} have to be: all that is said has to hold. Rows that are not to be seen are none.`,
        fields: {
          some: of('At least one of them.'),
          every: of('Each of them; true where there are none.'),
          none: of('None of them; of `{}` there are none.'),
        },
      }
    : {
        kind: 'input',
        name: toOne,
        description: `What the related row of ${model} has to be: all that is said has to hold. One that is not to be seen is none.`,
        fields: {
          is: of('It is there, and one of these; null where there is none.'),
          isNot: of('It is none of these, or not there; null where there is one.'),
        },
      }
}

/** Fields that a filter can speak of: visible ones, of types that have a comparison. */
export function filterableFields(
  catalog: ModelCatalog,
  model: ModelSpec,
  omit: readonly string[] = [],
): readonly FieldSpec[] {
  return visibleFields(model, omit).filter((field) => {
    if (GROUPS.has(modelNames(catalog, model.name).fields.get(field.name) ?? field.name)) return false
    if (GROUPS.has(field.name)) return false
    return field.type === 'Json' || domainOf(field, catalog) !== null
  })
}

/** What `parseWhere` takes for hidden, so that it refuses what `UserWhere` does not have. */
export function hiddenNames(model: ModelSpec, omit: readonly string[] = []): ReadonlySet<string> {
  const marked = [...model.fields, ...model.relations]
    .filter((part) => part.isOmitted)
    .map((part) => part.name)
  return new Set([...marked, ...omit])
}

function shapeOf(catalog: ModelCatalog, model: ModelSpec, field: FieldSpec): FieldShape {
  const typeName = graphqlTypeName(catalog, model, field)
  return { typeName, isList: field.isList, domain: domainOf(field, catalog) }
}
