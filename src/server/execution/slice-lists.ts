/**
 * Stage 8, server. Every list of objects that a schema has, whoever's resolver gives it, is made a slice at a time: `slicedList`. By
 * construction: a field that is added later is among them. Not a list of promises: these come when they come.
 */
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNullableType,
  isCompositeType,
  isListType,
  isObjectType,
} from 'graphql'
import { inSlices } from '../../graphql/reading/sliced-list.ts'
import { isThenable } from '../../metadata-schema.ts'

/** Two servers may have one schema. */
const sliced = new WeakSet<GraphQLField<unknown, unknown>>()

/** Puts it around the resolvers of the schema's lists. */
export function sliceLists(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields())) {
      if (!isListOfObjects(field.type) || sliced.has(field)) continue
      sliced.add(field)
      const resolve = field.resolve ?? defaultFieldResolver
      field.resolve = (parent, args, context, info) => {
        const value: unknown = resolve(parent, args, context, info)
        return isThenable(value) ? Promise.resolve(value).then(inSlices) : inSlices(value)
      }
    }
  }
}

function isListOfObjects(type: GraphQLOutputType): boolean {
  const list = getNullableType(type)
  return isListType(list) && isCompositeType(getNullableType(list.ofType as GraphQLOutputType))
}
