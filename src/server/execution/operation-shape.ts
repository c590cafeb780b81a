/**
 * Stage 8, server. What of a subscription its results depend on, as one text: two subscriptions of the same text get
 * the same results for the same change, as far as document and variables go.
 */
import {
  type DocumentNode,
  type FieldNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  print,
  visit,
} from 'graphql'

/** What one operation of a document depends on. */
interface OperationShape {
  readonly text: string
  /** Variables that can change a result, by name. */
  readonly variables: readonly string[]
}

/** Parsed documents are kept by the pipeline, so that equal texts are mostly one object. */
const shapes = new WeakMap<DocumentNode, Map<string, OperationShape>>()

/** The key of an operation; null when the document does not have it. */
export function operationKey(
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Readonly<Record<string, unknown>> | null | undefined,
): string | null {
  const shape = shapeOf(document, operationName)
  if (shape === null) return null
  const values = shape.variables.map((name) => [name, canonical(variables?.[name])])
  return `${shape.text}\n${JSON.stringify(values)}`
}

function shapeOf(document: DocumentNode, operationName: string | null | undefined): OperationShape | null {
  const known = shapes.get(document) ?? new Map<string, OperationShape>()
  shapes.set(document, known)
  const found = known.get(operationName ?? '')
  if (found !== undefined) return found
  const operation = getOperationAST(document, operationName)
  if (operation === null || operation === undefined) return null
  const shape = describe(document, operation)
  known.set(operationName ?? '', shape)
  return shape
}

/** The selection with all fragments; without the operation's name, and without what chooses the changes. */
function describe(document: DocumentNode, operation: OperationDefinitionNode): OperationShape {
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)
  const selectionSet = withoutRootArguments(operation.selectionSet)
  const variables = new Set<string>()
  for (const node of [selectionSet, ...(operation.directives ?? []), ...fragments]) {
    visit(node, {
      enter(inner) {
        if (inner.kind === Kind.VARIABLE) variables.add(inner.name.value)
      },
    })
  }
  // A default is part of what a variable is worth.
  const definitions = (operation.variableDefinitions ?? []).filter((definition) =>
    variables.has(definition.variable.name.value),
  )
  const texts = [...definitions, ...(operation.directives ?? []), selectionSet, ...fragments].map(print)
  return { text: texts.join('\n'), variables: [...variables].sort() }
}

/**
 * The arguments of the subscription field say which changes come, not what is shown of them. Only where the field
 * stands in the operation itself: inside fragments nothing is left out, which is safe and costs little.
 */
function withoutRootArguments(
  selectionSet: OperationDefinitionNode['selectionSet'],
): OperationDefinitionNode['selectionSet'] {
  const selections = selectionSet.selections.map((selection) =>
    selection.kind === Kind.FIELD ? ({ ...selection, arguments: [] } satisfies FieldNode) : selection,
  )
  return { ...selectionSet, selections }
}

/** The same value in one order of keys; what was left out is distinguished from null. */
function canonical(value: unknown): unknown {
  if (value === undefined) return { absent: true }
  return { value: sortKeys(value) }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return { entries: entries.map(([name, member]) => [name, sortKeys(member)]) }
}
