/**
 * Stage 7, graphql. What a subgraph of one's own says of itself: `_service { sdl }` is text that its library wrote before rowcast's types were there, and
 * a gateway would compose nothing of them. Apollo's subgraph specification, "Fetch service capabilities".
 */
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isIntrospectionType,
  isObjectType,
  printType,
} from 'graphql'

type Field = GraphQLField<unknown, unknown>

/**
 * Adds to what `schema` says of itself, where it is a subgraph, all that it has and `before` has not. In place.
 * @param roots the SDL of the fields that are added to its roots
 */
export function describeAddition(schema: GraphQLSchema, before: GraphQLSchema, roots: string): void {
  const field = serviceSdl(schema)
  if (field === undefined) return
  const known = before.getTypeMap()
  const isRoot = (type: unknown) => type === schema.getQueryType() || type === schema.getSubscriptionType()
  const added = Object.values(schema.getTypeMap()).filter(
    (type) => known[type.name] === undefined && !isIntrospectionType(type) && !isRoot(type),
  )
  const addition = [...added.map((type) => printType(type)), roots].join('\n\n')
  const { resolve = defaultFieldResolver } = field
  field.resolve = async (...asked) => `${String(await resolve(...asked))}\n\n${addition}\n`
}

/** `_Service.sdl`, of a schema that a gateway may ask. */
function serviceSdl(schema: GraphQLSchema): Field | undefined {
  const type = fieldOf(schema.getQueryType(), '_service')?.type
  const service = type === undefined ? undefined : getNamedType(type)
  return isObjectType(service) ? fieldOf(service, 'sdl') : undefined
}

function fieldOf(type: GraphQLObjectType | null | undefined, name: string): Field | undefined {
  return type?.getFields()[name]
}
