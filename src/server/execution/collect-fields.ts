/**
 * Stage 8, server. The fields that a selection asks of one object type, in the order of the result, as
 * CollectFields of the specification does it, for variables that are known.
 * https://spec.graphql.org/October2021/#CollectFields()
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql'

/** What a selection is read against. */
export interface CollectScope {
  readonly schema: GraphQLSchema
  readonly fragments: Record<string, FragmentDefinitionNode>
  /** Coerced. */
  readonly variables: Record<string, unknown>
}

/** The document's fragments, by name. */
export function fragmentsOf(document: DocumentNode): Record<string, FragmentDefinitionNode> {
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null)
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition
  return fragments
}

/** Response name → the field nodes that are merged under it. */
export function collectFields(
  scope: CollectScope,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()
  const visited = new Set<string>()

  function collect({ selections }: SelectionSetNode): void {
    for (const selection of selections) {
      if (!isIncluded(scope, selection)) continue
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        const nodes = fields.get(name)
        if (nodes === undefined) fields.set(name, [selection])
        else nodes.push(selection)
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (appliesTo(scope, type, selection.typeCondition)) collect(selection.selectionSet)
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value)
        const fragment = scope.fragments[selection.name.value]
        if (fragment !== undefined && appliesTo(scope, type, fragment.typeCondition))
          collect(fragment.selectionSet)
      }
    }
  }

  for (const selectionSet of selectionSets) collect(selectionSet)
  return fields
}

function isIncluded({ variables }: CollectScope, node: SelectionNode): boolean {
  if (node.directives === undefined || node.directives.length === 0) return true
  const skip = getDirectiveValues(GraphQLSkipDirective, node, variables)
  if (skip?.['if'] === true) return false
  const include = getDirectiveValues(GraphQLIncludeDirective, node, variables)
  return include?.['if'] !== false
}

function appliesTo(
  { schema }: CollectScope,
  type: GraphQLObjectType,
  condition: FragmentDefinitionNode['typeCondition'] | undefined,
): boolean {
  if (condition === undefined) return true
  const conditional = typeFromAST(schema, condition)
  if (conditional === type) return true
  return isAbstractType(conditional) && schema.isSubType(conditional, type)
}
