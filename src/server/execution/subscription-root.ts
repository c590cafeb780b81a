/**
 * Stage 8, server. The root field of a subscription may not depend on `@skip` or `@include`: without it there is nothing
 * to subscribe to, and graphql-js fails on it where it does not look for errors.
 * https://spec.graphql.org/September2025/#sec-Single-Root-Field
 */
import {
  type DirectiveNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  type ValidationRule,
} from 'graphql'

const CONDITIONS: ReadonlySet<string> = new Set(['skip', 'include'])

/** The rule. It throws instead of reporting: graphql-js' own rule for roots, which runs next, would throw without a code. */
export const unconditionalRootRule: ValidationRule = (context) => ({
  Document(document) {
    for (const definition of document.definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue
      if (definition.operation !== OperationTypeNode.SUBSCRIPTION) continue
      const condition = findCondition(definition.selectionSet, (name) => context.getFragment(name), new Set())
      if (condition === null) continue
      throw new GraphQLError('The root field of a subscription cannot have @skip or @include.', {
        nodes: condition,
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      })
    }
  },
})

/** The first condition on a root field, in the operation itself or in fragments at its root. */
function findCondition(
  { selections }: SelectionSetNode,
  fragmentOf: (name: string) => FragmentDefinitionNode | null | undefined,
  visited: Set<string>,
): DirectiveNode | null {
  for (const selection of selections) {
    const condition = selection.directives?.find(({ name }) => CONDITIONS.has(name.value))
    if (condition !== undefined) return condition
    const inner = innerSelections(selection, fragmentOf, visited)
    const found = inner && findCondition(inner, fragmentOf, visited)
    if (found) return found
  }
  return null
}

/** The selections that a fragment adds to the root; each named fragment is looked at once. */
function innerSelections(
  selection: SelectionSetNode['selections'][number],
  fragmentOf: (name: string) => FragmentDefinitionNode | null | undefined,
  visited: Set<string>,
): SelectionSetNode | null {
  if (selection.kind === Kind.INLINE_FRAGMENT) return selection.selectionSet
  if (selection.kind !== Kind.FRAGMENT_SPREAD || visited.has(selection.name.value)) return null
  visited.add(selection.name.value)
  return fragmentOf(selection.name.value)?.selectionSet ?? null
}
