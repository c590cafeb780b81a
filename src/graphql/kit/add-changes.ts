/** Stage 7, graphql. `addChanges`: rowcast's types and fields in a schema that is there already, whoever has built it. */
import {
  extendSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  GraphQLSchema,
  isObjectType,
  parse,
} from 'graphql'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { ROWS_OF } from '../policy/selected-models.ts'
import { takeReadLimits } from '../reading/schema-reads.ts'
import { withOldRowTypes } from '../schema/old-row-type.ts'
import { giveOwnChanges } from '../schema/own-change.ts'
import { guardSchema } from '../schema/policy-guard.ts'
import { SHOWN_RELATION } from '../shown-column.ts'
import type { FieldDefinitions } from '../type-definition.ts'
import { type ChangeSchemaOptions, type ChangeSchemaParts, changeSchemaParts } from './kit-options.ts'
import { makeTypes, resolversOfField } from './schema-types.ts'
import { rootsSdl } from './sdl.ts'
import { describeAddition } from './subgraph-service.ts'

/**
 * A copy of the schema with `<model>Changed`, `changeCursor`, and policies around every field that gives rows of the models
 * named. Where a model's row type is yours (`type`), columns that it has no field for are omitted: from `key`, filters, `changed`
 * and `old`, whose type is made from yours; `expose` names exceptions. Of a subgraph, `_service { sdl }` has all of it as well.
 * @throws CATALOG_UNKNOWN_MODEL
 * @throws GRAPHQL_BAD_SCHEMA when the schema lacks a type that is named, or has a type or a subscription of the same name as one of rowcast's
 */
export function addChanges(
  schema: GraphQLSchema,
  feed: ChangeFeed,
  options: ChangeSchemaOptions,
): GraphQLSchema {
  const parts = changeSchemaParts(feed, withShownColumns(schema, feed, options), 'copied')
  const withTypes = addTypes(schema, feed, parts)
  const roots = rootFields(schema, parts)
  const sdl = rootsOf(schema, roots)
  const extended = extendSchema(withTypes, parse(sdl))
  attach(extended.getSubscriptionType(), parts.subscriptions)
  attach(extended.getQueryType(), roots.queries)
  markRows(extended, feed, parts.models)
  const complete = withOldRowTypes(extended, feed.catalog)
  describeAddition(complete, schema, sdl)
  giveOwnChanges(complete)
  guardSchema(complete, parts.policies)
  takeReadLimits(complete, (limits) => parts.policies.calls.limit(limits))
  return complete
}

/** What the team's own type does not show, rowcast does not either. */
function withShownColumns(
  schema: GraphQLSchema,
  { catalog }: ChangeFeed,
  options: ChangeSchemaOptions,
): ChangeSchemaOptions {
  const models = Object.entries(options.models).map(([name, given]) => {
    const model: ModelSpec | undefined = catalog.models[name]
    if (given.type === undefined || model === undefined) return [name, given] as const
    const type = schema.getType(given.type)
    if (!isObjectType(type)) {
      throw new RowcastError('GRAPHQL_BAD_SCHEMA', `The schema has no object type "${given.type}".`, {
        hint: `Name the type of ${name}’s rows, or leave \`type\` out to get one of rowcast’s own.`,
      })
    }
    const shown = type.getFields()
    const unshown = [...model.fields, ...model.relations].filter(
      ({ name: part }) => shown[part] === undefined && !given.expose?.includes(part),
    )
    const omit = [...(given.omit ?? []), ...unshown.map((part) => part.name)]
    return [name, { ...given, omit }] as const
  })
  return { ...options, models: Object.fromEntries(models) }
}

function addTypes(schema: GraphQLSchema, { catalog }: ChangeFeed, parts: ChangeSchemaParts): GraphQLSchema {
  const taken = parts.types.find(({ name }) => schema.getType(name) !== undefined)
  if (taken !== undefined) {
    throw new RowcastError('GRAPHQL_BAD_SCHEMA', `The schema has a type ${taken.name} of its own.`, {
      hint: 'Rename it; or name it as `type` of its model, if it is the type of that model’s rows.',
    })
  }
  const made = makeTypes(catalog, parts.types, (name) => schema.getType(name) ?? undefined)
  const config = schema.toConfig()
  return new GraphQLSchema({ ...config, types: [...config.types, ...made.values()] })
}

interface RootFields {
  readonly subscriptions: FieldDefinitions
  readonly queries: FieldDefinitions
}

/** A `changeCursor` that is there already stays. @throws GRAPHQL_BAD_SCHEMA where the schema has one of the subscriptions */
function rootFields(schema: GraphQLSchema, { subscriptions, queries }: ChangeSchemaParts): RootFields {
  const own = schema.getSubscriptionType()?.getFields() ?? {}
  const taken = Object.keys(subscriptions).find((name) => own[name] !== undefined)
  if (taken !== undefined) {
    throw new RowcastError('GRAPHQL_BAD_SCHEMA', `The schema has a subscription ${taken} of its own.`, {
      hint: 'Rename it; or name rowcast’s otherwise: `name` of its model, or `changes: { name }`.',
    })
  }
  const known = schema.getQueryType()?.getFields() ?? {}
  const added = Object.entries(queries).filter(([name]) => known[name] === undefined)
  return { subscriptions, queries: Object.fromEntries(added) }
}

function rootsOf(schema: GraphQLSchema, { subscriptions, queries }: RootFields): string {
  const root = schema.getSubscriptionType()
  const query = schema.getQueryType()
  const extensions =
    query == null || Object.keys(queries).length === 0
      ? ''
      : rootsSdl('extend type', { [query.name]: queries })
  return root == null
    ? `${rootsSdl('type', { Subscription: subscriptions })}\nextend schema { subscription: Subscription }\n${extensions}`
    : `${rootsSdl('extend type', { [root.name]: subscriptions })}\n${extensions}`
}

function attach(root: GraphQLObjectType | null | undefined, fields: FieldDefinitions): void {
  const known: Record<string, GraphQLField<unknown, unknown>> = root?.getFields() ?? {}
  for (const [name, field] of Object.entries(fields)) {
    const target = known[name]
    if (target === undefined) continue
    Object.assign(target, resolversOfField(field))
    // Never in place: the schema that was given may share it.
    target.extensions = { ...target.extensions, ...field.extensions }
  }
}

/** Says of the types of rows, and of their fields that are called as relations are, what Pothos says of its own. */
function markRows(schema: GraphQLSchema, { catalog }: ChangeFeed, models: ReadonlyMap<string, string>): void {
  for (const [typeName, modelName] of models) {
    const type: GraphQLNamedType | undefined = schema.getType(typeName) ?? undefined
    const model: ModelSpec | undefined = catalog.models[modelName]
    if (!isObjectType(type) || model === undefined) continue
    type.extensions = { ...type.extensions, [ROWS_OF]: modelName }
    for (const relation of model.relations) {
      const field = type.getFields()[relation.name]
      if (field !== undefined) field.extensions = { ...field.extensions, [SHOWN_RELATION]: relation.name }
    }
  }
}
