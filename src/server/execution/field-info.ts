/** Stage 8, server. A field of a compiled operation, as its resolver gets to know it. */
import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLResolveInfo,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql'
import type { CollectScope } from './collect-fields.ts'

/** Names and indexes from the root of the result. */
export type FieldPath = GraphQLResolveInfo['path']

/** What is the same all over an operation. */
export interface CompileScope extends CollectScope {
  readonly operation: OperationDefinitionNode
}

/** Where a field stands. */
export interface FieldPlace {
  readonly field: GraphQLField<unknown, unknown>
  readonly fieldNodes: readonly FieldNode[]
  readonly parentType: GraphQLObjectType
  readonly path: FieldPath
}

/** What a resolver gets to know of its field, as from graphql-js. A class: there is one for each field and delivery. */
export class FieldInfo implements GraphQLResolveInfo {
  readonly fieldName: string
  readonly fieldNodes: readonly FieldNode[]
  readonly returnType: GraphQLOutputType
  readonly parentType: GraphQLObjectType
  readonly path: FieldPath
  readonly schema: GraphQLSchema
  readonly fragments: Record<string, FragmentDefinitionNode>
  readonly rootValue: unknown
  readonly operation: OperationDefinitionNode
  readonly variableValues: Record<string, unknown>

  constructor(scope: CompileScope, place: FieldPlace, rootValue: unknown) {
    this.fieldName = place.field.name
    this.fieldNodes = place.fieldNodes
    this.returnType = place.field.type
    this.parentType = place.parentType
    this.path = place.path
    this.schema = scope.schema
    this.fragments = scope.fragments
    this.rootValue = rootValue
    this.operation = scope.operation
    this.variableValues = scope.variables
  }

  /** graphql-js 17 has it, for those who cancel an execution: nobody does, as it is over before it could be. */
  getAbortSignal(): AbortSignal | undefined {
    return undefined
  }
}
