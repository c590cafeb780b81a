/**
 * What relay-compiler makes of an operation, as far as Relay's store needs it: the tree by which responses are normalised. Like the
 * compiler it asks for `id` wherever a type has one, and for `__typename` wherever a type is abstract.
 */
import {
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  visit,
} from 'graphql'
import type { ConcreteRequest, NormalizationSelection } from 'relay-runtime'

/** The request of a document with one operation, fields and inline fragments only, no arguments. */
export function relayRequest(schema: GraphQLSchema, source: string): ConcreteRequest {
  const [operation] = parse(source).definitions as readonly OperationDefinitionNode[]
  const root = operation?.operation === 'query' ? schema.getQueryType() : schema.getSubscriptionType()
  if (operation === undefined || !root) throw new Error('There is no operation.')
  const selections = selectionsOf(schema, root, operation.selectionSet.selections)
  const name = operation.name?.value ?? 'Operation'
  return {
    kind: 'Request',
    fragment: {
      kind: 'Fragment',
      name,
      type: root.name,
      argumentDefinitions: [],
      selections: [],
      metadata: null,
    },
    operation: { kind: 'Operation', name, argumentDefinitions: [], selections },
    params: {
      operationKind: operation.operation,
      name,
      id: null,
      cacheID: source,
      text: source,
      metadata: {},
    },
  } as ConcreteRequest
}

/** The same document with what the compiler adds to it, as it is sent. */
export function relayText(schema: GraphQLSchema, source: string): string {
  const add = (type: GraphQLCompositeType, selections: readonly SelectionNode[]): SelectionNode[] => {
    const own = selections.map((node): SelectionNode => {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const inner = schema.getType(node.typeCondition?.name.value ?? type.name) as GraphQLCompositeType
        return {
          ...node,
          selectionSet: { ...node.selectionSet, selections: add(inner, node.selectionSet.selections) },
        }
      }
      const named = typeOfField(type, node)
      if (node.kind !== Kind.FIELD || node.selectionSet === undefined || !isCompositeType(named)) return node
      return {
        ...node,
        selectionSet: { ...node.selectionSet, selections: add(named, node.selectionSet.selections) },
      }
    })
    const added = [...(hasId(type) ? ['id'] : []), ...(isAbstractType(type) ? ['__typename'] : [])]
    return [
      ...own,
      ...added.map((name): FieldNode => ({ kind: Kind.FIELD, name: { kind: Kind.NAME, value: name } })),
    ]
  }
  return print(
    visit(parse(source), {
      OperationDefinition(node) {
        const root = node.operation === 'query' ? schema.getQueryType() : schema.getSubscriptionType()
        if (!root) return undefined
        return {
          ...node,
          selectionSet: { ...node.selectionSet, selections: add(root, node.selectionSet.selections) },
        }
      },
    }),
  )
}

function hasId(type: GraphQLCompositeType): boolean {
  return 'getFields' in type && 'id' in type.getFields()
}

function typeOfField(type: GraphQLCompositeType, node: SelectionNode) {
  return node.kind === Kind.FIELD && 'getFields' in type
    ? getNamedType(type.getFields()[node.name.value]?.type)
    : undefined
}

function selectionsOf(
  schema: GraphQLSchema,
  type: GraphQLCompositeType,
  nodes: readonly SelectionNode[],
): NormalizationSelection[] {
  const scalar = (name: string, alias: string | null = null) =>
    ({ kind: 'ScalarField', alias, name, args: null, storageKey: null }) as NormalizationSelection
  const selections = nodes.map((node): NormalizationSelection => {
    if (node.kind === Kind.INLINE_FRAGMENT) {
      const on = node.typeCondition?.name.value ?? type.name
      const inner = selectionsOf(
        schema,
        schema.getType(on) as GraphQLCompositeType,
        node.selectionSet.selections,
      )
      return { kind: 'InlineFragment', type: on, abstractKey: null, selections: inner }
    }
    if (node.kind !== Kind.FIELD) throw new Error('No fragment spreads.')
    const alias = node.alias?.value ?? null
    const named = typeOfField(type, node)
    if (!isCompositeType(named)) return scalar(node.name.value, alias)
    const fieldType = 'getFields' in type ? type.getFields()[node.name.value]?.type : undefined
    return {
      ...{ kind: 'LinkedField', alias, name: node.name.value, args: null, storageKey: null },
      concreteType: isObjectType(named) ? named.name : null,
      plural: isListType(getNullableType(fieldType)),
      selections: selectionsOf(schema, named, node.selectionSet?.selections ?? []),
    } as NormalizationSelection
  })
  return [
    ...selections,
    ...(hasId(type) ? [scalar('id')] : []),
    ...(isAbstractType(type) ? [scalar('__typename')] : []),
  ]
}
