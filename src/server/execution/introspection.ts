/**
 * Stage 8, server. Operations that read the schema and nothing else. What they answer with grows with the schema, and not
 * with what a client thinks of: it has a bound of its own.
 */
import {
  type DocumentNode,
  type FieldNode,
  getOperationAST,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql'
import { walkSelection } from '../../graphql/selection-walk.ts'
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
  let isOfSchema = true
  const onField = ({ name }: FieldNode): void => {
    isOfSchema &&= INTROSPECTION_FIELDS.has(name.value)
  }
  walkSelection({ fragments: fragmentsOf(document), onField, entered: new Set() }, set)
  return isOfSchema
}
