/** Stage 7, graphql. Whether the schema's SDL is the one that belongs to the resolvers: made with other options, it could show more. */
import { type GraphQLSchema, isObjectType } from 'graphql'
import { RowcastError } from '../../errors.ts'
import type { ChangeFeed } from '../change-feed.ts'
import type { ChangeFieldExtension } from '../explain/read-subscription.ts'
import { modelNames } from '../schema-names.ts'
import type { FieldDefinition, FieldDefinitions } from '../type-definition.ts'
import type { ChangeSchemaOptions } from './kit-options.ts'

/**
 * The fields, none of which begins a subscription in a schema where rowcast's own types of rows show what is omitted.
 * @throws GRAPHQL_BAD_SCHEMA when a subscription begins in such a schema
 */
export function checkTypeDefs(
  feed: ChangeFeed,
  { models }: ChangeSchemaOptions,
  fields: FieldDefinitions,
): FieldDefinitions {
  const checked = new WeakSet<GraphQLSchema>()
  const check = (schema: GraphQLSchema): void => {
    if (checked.has(schema)) return
    for (const { extensions = {} } of Object.values(fields)) {
      const ofModel = extensions['rowcast'] as ChangeFieldExtension | undefined
      if (ofModel === undefined) continue
      const { model, omit } = ofModel
      const names = modelNames(feed.catalog, model)
      const own = models[model]?.type === undefined ? [names.type, names.old] : [names.old]
      for (const type of own)
        checkOmitted(
          schema,
          type,
          omit.map((name) => names.fields.get(name) ?? name),
        )
    }
    checked.add(schema)
  }
  const withCheck = (field: FieldDefinition): FieldDefinition => ({
    ...field,
    subscribe(root, args, context, info) {
      check(info.schema)
      return field.subscribe?.(root, args, context, info)
    },
  })
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, withCheck(field)]))
}

/** A field with a resolver of its own is the application's. */
function checkOmitted(schema: GraphQLSchema, typeName: string, omit: readonly string[]): void {
  const type = schema.getType(typeName)
  const fields = isObjectType(type) ? type.getFields() : {}
  const shown = omit.find((name) => fields[name] !== undefined && fields[name].resolve === undefined)
  if (shown === undefined) return
  throw new RowcastError(
    'GRAPHQL_BAD_SCHEMA',
    `${typeName}.${shown} is in the schema, and is to be omitted.`,
    {
      hint: 'Give changeTypeDefs the same rowcast and the same options as changeResolvers.',
    },
  )
}
