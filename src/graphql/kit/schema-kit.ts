/**
 * Stage 7, graphql. rowcast in a schema of one's own that no Pothos builder makes: `rowcast/graphql`.
 *
 *     const options = { models: { User: { type: 'User' } } }
 *     makeExecutableSchema({
 *       typeDefs: [typeDefs, changeTypeDefs(rowcast, options)],
 *       resolvers: [resolvers, changeResolvers(rowcast, options)],
 *     })
 *
 * or, where a schema is there already, `addChanges(schema, rowcast, options)`.
 */
import {
  type GraphQLEnumType,
  type GraphQLFieldResolver,
  type GraphQLNamedType,
  type GraphQLScalarType,
  isEnumType,
  isScalarType,
  printType,
} from 'graphql'
import type { ModelCatalog } from '../../catalog/model-catalog.ts'
import type { ChangeFeed } from '../change-feed.ts'
import type { FieldDefinitions, TypeDefinition } from '../type-definition.ts'
import { addChanges } from './add-changes.ts'
import { checkTypeDefs } from './check-type-defs.ts'
import {
  type ChangeModelOptions,
  type ChangeSchemaOptions,
  changeSchemaParts,
  type DescribedFeed,
} from './kit-options.ts'
import { type FieldResolvers, fieldsOf, makeTypes, resolversOfField } from './schema-types.ts'
import { placeholderOf, rootsSdl } from './sdl.ts'
import { shareable } from './subgraph-service.ts'

export type { ChangeFeed } from '../change-feed.ts'
export type { ModelPolicies } from '../policy/model-policy.ts'
export { addChanges, type ChangeModelOptions, type ChangeSchemaOptions, type DescribedFeed }

/** Options of `changeTypeDefs` and `changeResolvers`; give both the same. */
export interface ChangeSdlOptions extends ChangeSchemaOptions {
  /**
   * Names of scalars and enums that your own SDL has: they are neither defined nor resolved again. @default none, which is
   * right wherever definitions of the same type are merged, as `makeExecutableSchema` does
   */
  readonly existingTypes?: readonly string[] | undefined
  /**
   * For `buildSubgraphSchema`, which takes one `type Query` alone: the roots are `extend type`, and what each subgraph with changes has is `@shareable`,
   * which the `@link` of your own SDL has to import. @default false, for what merges definitions of the same type
   */
  readonly subgraph?: boolean | undefined
}

/**
 * The SDL of `<model>Changed` and everything under it, with `type Subscription` and `type Query`, which are merged with
 * those of your own; with `subgraph: true` as extensions of them.
 * @param source a rowcast, whose `register()` options count; or a catalog alone, without them
 * @throws CATALOG_UNKNOWN_MODEL
 */
export function changeTypeDefs(source: DescribedFeed | ModelCatalog, options: ChangeSdlOptions): string {
  const described: DescribedFeed = 'catalog' in source ? source : { catalog: source }
  const { catalog } = described
  const { types, subscriptions, queries } = changeSchemaParts(described as ChangeFeed, options, 'columns')
  const { existingTypes = [], subgraph = false } = options
  const find = placeholderOf(options, existingTypes)
  const made = makeTypes(catalog, types, find)
  const printed = [...made.values()].map((type) => printType(type))
  const roots = { Subscription: subscriptions, Query: queries }
  if (!subgraph) return [...printed, rootsSdl('type', roots)].join('\n\n')
  const extensions = [...printed, rootsSdl('extend type', roots)].join('\n\n')
  return shareable(extensions, 'shareable', { query: 'Query', subscription: 'Subscription' })
}

/** Resolvers of one type: a scalar, the values behind an enum's names, or fields by name. */
export type TypeResolvers =
  | GraphQLScalarType
  | Readonly<Record<string, string>>
  | Readonly<Record<string, FieldResolvers | GraphQLFieldResolver<never, never> | ResolveType>>

/** Names the type of a change. */
type ResolveType = (source: never) => string

/**
 * The resolvers of what `changeTypeDefs` declares, in the shape of `makeExecutableSchema`.
 * @param feed a rowcast, started or not
 * @throws CATALOG_UNKNOWN_MODEL
 */
export function changeResolvers(feed: ChangeFeed, options: ChangeSdlOptions): Record<string, TypeResolvers> {
  const { types, subscriptions, queries } = changeSchemaParts(feed, options, 'columns')
  const find = placeholderOf(options, options.existingTypes ?? [])
  const made = makeTypes(feed.catalog, types, find)
  const ofTypes = [...made.values()].flatMap((type) => {
    const resolvers = resolversOf(type, types)
    return resolvers === null ? [] : [[type.name, resolvers] as const]
  })
  return {
    ...Object.fromEntries(ofTypes),
    Subscription: ofFields(checkTypeDefs(feed, options, subscriptions)),
    Query: ofFields(queries),
  }
}

function resolversOf(type: GraphQLNamedType, types: readonly TypeDefinition[]): TypeResolvers | null {
  if (isScalarType(type)) return type
  if (isEnumType(type)) return valuesOf(type)
  const definition = types.find(({ name }) => name === type.name)
  if (definition?.kind === 'interface') return { __resolveType: definition.resolveType }
  return definition?.kind === 'object' ? ofFields(fieldsOf(definition, types)) : null
}

/** Null where the names are the values. */
function valuesOf(type: GraphQLEnumType): Readonly<Record<string, string>> | null {
  const values = type.getValues().map(({ name, value }) => [name, String(value)] as const)
  return values.every(([name, value]) => name === value) ? null : Object.fromEntries(values)
}

function ofFields(fields: FieldDefinitions): Readonly<Record<string, FieldResolvers>> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, resolversOfField(field)]))
}
