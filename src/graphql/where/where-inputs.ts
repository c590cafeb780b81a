/**
 * Stage 7, graphql. `UserWhere` and the inputs it is made of, in the shape of Prisma's `where`. What GraphQL makes
 * of such an argument is what `parseChangeFilter` reads; nothing is translated in between.
 */
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { graphqlTypeName, visibleFields } from '../field-type.ts'
import { modelNames } from '../schema-names.ts'
import type { TypeDefinition } from '../type-definition.ts'
import { type FieldShape, fieldFilterName, fieldFilterTypes } from './where-field-inputs.ts'

/** What a `where` of one model may speak of. */
export interface WhereInputOptions {
  /** Fields that clients must not learn of. */
  readonly omit?: readonly string[] | undefined
}

/** The input type of a model's filter, first, and those of its fields' filters; models share these. */
export function whereTypes(
  catalog: ModelCatalog,
  model: ModelSpec,
  { omit }: WhereInputOptions = {},
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
  const input: TypeDefinition = {
    kind: 'input',
    name,
    description:
      `Which rows of ${model.name}: all that is said has to hold. The shape, and how nulls count, is that of ` +
      'Prisma’s `where`, within one row: relations cannot be asked for, their foreign keys can.',
    fields: {
      ...Object.fromEntries(own),
      AND: { type: `[${name}!]`, description: 'All of these.' },
      OR: { type: `[${name}!]`, description: 'At least one of these; of an empty list none.' },
      NOT: { type: `[${name}!]`, description: 'None of these.' },
    },
  }
  return [input, ...types]
}

/** What groups conditions is no field. */
const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

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
