/**
 * Stage 7, graphql. What a subgraph of one's own says of itself: `_service { sdl }` is text that its library wrote before rowcast's types were there, and
 * a gateway would compose nothing of them. Apollo's subgraph specification, "Fetch service capabilities".
 */
import {
  type ConstDirectiveNode,
  type DefinitionNode,
  defaultFieldResolver,
  type FieldDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isIntrospectionType,
  isObjectType,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  parse,
  print,
  printType,
  type ValueNode,
  visit,
} from 'graphql'

type Field = GraphQLField<unknown, unknown>

/**
 * Adds to what `schema` says of itself, where it is a subgraph, all that it has and `before` has not. In place.
 * @param roots the SDL of the fields that are added to its roots
 *
 * What is added is in each subgraph that rowcast's changes are added to: where the text is of Federation 2, which takes a field from one
 * subgraph unless it is said otherwise, it is shareable.
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
  const names = { query: schema.getQueryType()?.name, subscription: schema.getSubscriptionType()?.name }
  const { resolve = defaultFieldResolver } = field
  field.resolve = async (...asked) => {
    const own = String(await resolve(...asked))
    return `${own}\n\n${shareable(addition, shareableIn(own), names)}\n`
  }
}

/** What the roots are called. */
interface RootNames {
  readonly query: string | undefined
  readonly subscription: string | undefined
}

/**
 * SDL whose types several subgraphs may have, the fields of an `extend type Query` among them; those of the subscriptions are one subgraph's.
 * @param directive what says that others may have it, too; null where nothing has to
 */
export function shareable(
  addition: string,
  directive: string | null,
  { query, subscription }: RootNames,
): string {
  if (directive === null) return addition
  const said: ConstDirectiveNode = {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: directive },
  }
  const withShareable = <Node extends ObjectTypeDefinitionNode | FieldDefinitionNode>(node: Node): Node => ({
    ...node,
    directives: [said],
  })
  return print(
    visit(parse(addition), {
      ObjectTypeDefinition: (node) => (node.name.value === subscription ? undefined : withShareable(node)),
      ObjectTypeExtension: (node): ObjectTypeExtensionNode | undefined =>
        node.name.value === query ? { ...node, fields: node.fields?.map(withShareable) ?? [] } : undefined,
    }),
  )
}

/** The name of `@shareable` in a text that links Federation 2: as it imports it, or with the name of the specification before it. */
function shareableIn(sdl: string): string | null {
  const link = parse(sdl, { noLocation: true }).definitions.flatMap(linksOf).find(isFederation2)
  if (link === undefined) return null
  const { import: imported } = Object.fromEntries(
    (link.arguments ?? []).map(({ name, value }) => [name.value, value]),
  )
  for (const each of imported?.kind === Kind.LIST ? imported.values : []) {
    if (textOf(each) === '@shareable') return 'shareable'
    if (each.kind !== Kind.OBJECT) continue
    const said = (name: string) => textOf(each.fields.find((field) => field.name.value === name)?.value)
    if (said('name') === '@shareable') return (said('as') ?? '@shareable').slice(1)
  }
  return `${textOf(argumentOf(link, 'as')) ?? 'federation'}__shareable`
}

function linksOf(node: DefinitionNode): readonly ConstDirectiveNode[] {
  const isSchema = node.kind === Kind.SCHEMA_DEFINITION || node.kind === Kind.SCHEMA_EXTENSION
  return isSchema ? (node.directives ?? []) : []
}

function isFederation2(directive: ConstDirectiveNode): boolean {
  return /\/federation\/v2\.\d+\/?$/.test(textOf(argumentOf(directive, 'url')) ?? '')
}

function argumentOf(directive: ConstDirectiveNode, name: string): ValueNode | undefined {
  return directive.arguments?.find((argument) => argument.name.value === name)?.value
}

function textOf(value: ValueNode | undefined): string | undefined {
  return value?.kind === Kind.STRING ? value.value : undefined
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
