/**
 * Stage 8, server. Operations that read the schema and nothing else. What they answer with grows with the schema, and not
 * with what a client thinks of: it has a bound of its own.
 */
import { type DocumentNode, getOperationAST, Kind, OperationTypeNode, type SelectionSetNode } from 'graphql'
import type { ServerLimits } from '../limits/limits.ts'
import { fragmentsOf } from './collect-fields.ts'

/** `_service` is a subgraph's own: its schema as text. */
const INTROSPECTION_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type', '__typename', '_service'])

/** Whether all that the operation selects on its root is the schema. */
export function isIntrospection(document: DocumentNode, operationName: string | null | undefined): boolean {
  const operation = getOperationAST(document, operationName)
  return operation?.operation === OperationTypeNode.QUERY && selectsSchema(document, operation.selectionSet)
}

/** The longest result of an operation. */
export function resultBytesMax(
  { payloadBytesMax, introspectionBytesMax }: Pick<ServerLimits, 'payloadBytesMax' | 'introspectionBytesMax'>,
  document: DocumentNode,
  operationName: string | null | undefined,
): number {
  if (introspectionBytesMax <= payloadBytesMax) return payloadBytesMax
  return isIntrospection(document, operationName) ? introspectionBytesMax : payloadBytesMax
}

function selectsSchema(document: DocumentNode, set: SelectionSetNode): boolean {
  const fragments = fragmentsOf(document)
  const seen = new Set<string>()
  const isOfSchema = ({ selections }: SelectionSetNode): boolean =>
    selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return INTROSPECTION_FIELDS.has(selection.name.value)
      if (selection.kind === Kind.INLINE_FRAGMENT) return isOfSchema(selection.selectionSet)
      const { value: name } = selection.name
      if (seen.has(name)) return true
      seen.add(name)
      const fragment = fragments[name]
      return fragment !== undefined && isOfSchema(fragment.selectionSet)
    })
  return isOfSchema(set)
}
