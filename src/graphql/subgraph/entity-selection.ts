/** Stage 7, graphql. What a selection on `_entities` asks of one type, as if it stood under the query for a row of that type. */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  Kind,
  type SelectionNode,
} from 'graphql'

type Fragments = Readonly<Record<string, FragmentDefinitionNode>>

/** The union of all entities. */
export const ENTITY_UNION = '_Entity'

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
  const selections = selectionsOf(node.selectionSet?.selections ?? [], { type, fragments, spread: new Set() })
  const made: FieldNode = {
    ...node,
    name: { kind: Kind.NAME, value: name },
    arguments: [],
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  }
  ofNode.set(type.name, made)
  return made
}

interface Selecting {
  readonly type: GraphQLObjectType
  readonly fragments: Fragments
  /** Fragments on the union that were taken apart: each counts once. */
  readonly spread: Set<string>
}

/** Types of entities implement no interfaces: a condition names the type, or the union itself, and that says nothing. */
function selectionsOf(selections: readonly SelectionNode[], selecting: Selecting): readonly SelectionNode[] {
  const { type, fragments, spread } = selecting
  return selections.flatMap((each): readonly SelectionNode[] => {
    if (each.kind === Kind.FIELD) return [each]
    const fragment = each.kind === Kind.INLINE_FRAGMENT ? each : fragments[each.name.value]
    const condition = fragment?.typeCondition?.name.value ?? ENTITY_UNION
    if (condition === type.name) return [each]
    if (fragment === undefined || condition !== ENTITY_UNION) return []
    // More than is asked for may be planned: without its directives a fragment says the same wherever it is spread.
    const isNamed = each.kind === Kind.FRAGMENT_SPREAD
    if (isNamed && spread.has(each.name.value)) return []
    if (isNamed) spread.add(each.name.value)
    const inner = selectionsOf(fragment.selectionSet.selections, selecting)
    const selectionSet = { kind: Kind.SELECTION_SET, selections: inner } as const
    return [{ kind: Kind.INLINE_FRAGMENT, directives: isNamed ? [] : (each.directives ?? []), selectionSet }]
  })
}
