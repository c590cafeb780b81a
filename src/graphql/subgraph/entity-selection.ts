/** Stage 7, graphql. What a selection on `_entities` asks of one type, as if it stood under the query for a row of that type. */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  Kind,
  type SelectionNode,
} from 'graphql'

type Fragments = Readonly<Record<string, FragmentDefinitionNode>>

/** Operations are kept parsed: what is made of a node is kept with it, so that all rows of a request ask with the same one. */
const known = new WeakMap<FieldNode, Map<string, FieldNode>>()

/** The field with another name, and of its fragments only those that the type has. */
export function entitySelection(
  node: FieldNode,
  name: string,
  type: GraphQLObjectType,
  fragments: Fragments,
): FieldNode {
  const ofNode = known.get(node) ?? new Map<string, FieldNode>()
  known.set(node, ofNode)
  const before = ofNode.get(type.name)
  if (before !== undefined) return before
  const made: FieldNode = {
    ...node,
    name: { kind: Kind.NAME, value: name },
    arguments: [],
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: (node.selectionSet?.selections ?? []).filter((each) => isOf(each, type, fragments)),
    },
  }
  ofNode.set(type.name, made)
  return made
}

/** Types of entities implement no interfaces: a condition names the type, or the union itself. */
function isOf(selection: SelectionNode, { name }: GraphQLObjectType, fragments: Fragments): boolean {
  if (selection.kind === Kind.FIELD) return true
  const condition =
    selection.kind === Kind.INLINE_FRAGMENT
      ? selection.typeCondition
      : fragments[selection.name.value]?.typeCondition
  return condition === undefined || condition.name.value === name
}
