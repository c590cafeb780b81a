/**
 * Stage 7, graphql. `UserWhere` and the inputs it is made of, in the shape of Prisma's `where`. What GraphQL makes
 * of such an argument is what `parseChangeFilter` reads; nothing is translated in between.
 */
import type { InputObjectRef, SchemaTypes } from '@pothos/core'
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { type AnyBuilder, stateOf } from '../builder/builder-state.ts'
import { graphqlTypeName, visibleFields } from '../field-type.ts'
import { modelNames } from '../schema-names.ts'
import { defineFieldFilter, fieldFilterName } from './where-field-inputs.ts'

/** What a `where` of one model may speak of. */
export interface WhereInputOptions {
  /** Name of the type. @default `UserWhere` for the model User */
  readonly name?: string | undefined
  /** Fields that clients must not learn of. */
  readonly omit?: readonly string[] | undefined
  /** Called with each scalar or enum that the inputs need; builders may lack it. */
  readonly onNeeded?: ((typeName: string) => void) | undefined
}

/** Adds the input type of a model's filter, and those of its fields' filters, to a builder; the same ref twice. */
export function defineWhereInput(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  model: ModelSpec,
  options: WhereInputOptions = {},
): InputObjectRef<SchemaTypes, object> {
  const names = modelNames(catalog, model.name)
  const name = options.name ?? names.where
  return defineOnce(builder, name, () => {
    const ref = builder.inputRef<object>(name)
    // Made now, not when Pothos builds the schema: what they need has to be known before.
    const fields = filterableFields(catalog, model, options.omit).map((field) => ({
      field,
      type: fieldFilter(builder, catalog, { model, field }, options.onNeeded),
    }))
    ref.implement({
      description:
        `Which rows of ${model.name}: all that is said has to hold. The shape, and how nulls count, is that of ` +
        'Prisma’s `where`, within one row: relations cannot be asked for, their foreign keys can.',
      fields: (t) => {
        const group = { required: false } as const
        const groups = {
          AND: t.field({ type: [ref], ...group, description: 'All of these.' }),
          OR: t.field({
            type: [ref],
            ...group,
            description: 'At least one of these; of an empty list none.',
          }),
          NOT: t.field({ type: [ref], ...group, description: 'None of these.' }),
        }
        const own = fields.map(({ field: { name, documentation }, type }) => {
          const description = documentation === null ? {} : { description: documentation }
          return [names.fields.get(name) ?? name, t.field({ type, ...group, ...description })]
        })
        return { ...Object.fromEntries(own), ...groups }
      },
    })
    return ref
  })
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

function fieldFilter(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  { model, field }: { readonly model: ModelSpec; readonly field: FieldSpec },
  onNeeded: ((typeName: string) => void) | undefined,
): InputObjectRef<SchemaTypes, object> {
  const typeName = graphqlTypeName(catalog, model, field)
  onNeeded?.(typeName)
  const domain = domainOf(field, catalog)
  const shape = { typeName, isList: field.isList, domain }
  return defineOnce(builder, fieldFilterName(catalog, shape), (name) =>
    defineFieldFilter(builder, name, shape),
  )
}

function defineOnce(
  builder: AnyBuilder,
  name: string,
  define: (name: string) => InputObjectRef<SchemaTypes, object>,
): InputObjectRef<SchemaTypes, object> {
  const { filterInputs } = stateOf(builder)
  const ref = filterInputs.get(name) ?? define(name)
  filterInputs.set(name, ref)
  return ref
}
