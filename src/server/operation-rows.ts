/**
 * Stage 8, server. How many rows an operation can ask for: a list is as many as its `take`, once for each row that it is in.
 * Counted before anything is read, with the operation's variables; of a subscription for one change.
 */
import {
  type ExecutionArgs,
  type ExecutionResult,
  type FieldNode,
  type GraphQLField,
  type GraphQLNamedType,
  getArgumentValues,
  getNamedType,
  getNullableType,
  getOperationAST,
  isAbstractType,
  isListType,
  isObjectType,
  type OperationDefinitionNode,
} from 'graphql'
import { RowcastError } from '../errors.ts'
import { toGraphqlError } from '../graphql/graphql-errors.ts'
import { coerceVariables } from '../graphql/graphql-version.ts'
import { TAKE_DEFAULT, TAKE_MAX } from '../graphql/pagination.ts'
import { modelOfType } from '../graphql/policy/selected-models.ts'
import { type CollectScope, collectFields, fragmentsOf } from './collect-fields.ts'
import type { PipelinePlugin } from './connection-state.ts'

type CountArgs = Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>

/** Keeps operations within a number of rows. */
export interface RowsLimit {
  /** The answer to an operation that asks for too many; null for any other. */
  refuse(args: ExecutionArgs): ExecutionResult | null
  /** Refuses queries. Subscriptions have a way of their own: `refuse`. */
  readonly plugin: PipelinePlugin
}

/** Creates the limit. */
export function createRowsLimit(rowsMax: number): RowsLimit {
  function refuse(args: ExecutionArgs): ExecutionResult | null {
    if (countRows(args, rowsMax) <= rowsMax) return null
    const error = new RowcastError('QUERY_OVER_LIMIT', `The operation can have more than ${rowsMax} rows.`, {
      mend: 'Say `take` where lists are in lists: each list counts as many rows as its `take`, once for each row that it is in.',
    })
    return { errors: [toGraphqlError(error) as never] }
  }
  return {
    refuse,
    plugin: {
      onExecute({ args, setResultAndStopExecution }) {
        const refusal = refuse(args)
        if (refusal !== null) setResultAndStopExecution(refusal)
      },
    },
  }
}

/** Fields that are looked at in one operation: far more than any client writes, fragments counted wherever they are spread. */
const FIELDS_MAX = 20_000

/** What is counted so far. */
interface Count extends CollectScope {
  readonly rowsMax: number
  fields: number
}

/** Rows at the most; counts no further than to where there are more than `rowsMax`. */
export function countRows(args: CountArgs, rowsMax: number): number {
  const { schema, document, operationName, variableValues } = args
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return 0
  const { variables } = coerceVariables(schema, operation.variableDefinitions ?? [], variableValues ?? {})
  // They do not fit: it is not executed either.
  if (variables === null) return 0
  const count: Count = { schema, fragments: fragmentsOf(document), variables, rowsMax, fields: 0 }
  return countUnder(count, root, [operation], 1)
}

type Selected = Pick<FieldNode | OperationDefinitionNode, 'selectionSet'>

/** Rows under the nodes, which are there `times` times. */
function countUnder(count: Count, type: GraphQLNamedType, nodes: readonly Selected[], times: number): number {
  if (isAbstractType(type)) {
    const possible = count.schema.getPossibleTypes(type)
    return Math.max(0, ...possible.map((each) => countUnder(count, each, nodes, times)))
  }
  if (!isObjectType(type)) return 0
  const sets = nodes.flatMap(({ selectionSet }) => (selectionSet === undefined ? [] : [selectionSet]))
  let rows = 0
  for (const fieldNodes of collectFields(count, type, sets).values()) {
    count.fields += 1
    const [node] = fieldNodes
    const field = node && type.getFields()[node.name.value]
    if (node === undefined || field === undefined) continue
    const named = getNamedType(field.type)
    const isRows = modelOfType(named) !== null
    const inner = isRows ? times * sizeOf(count, field, node) : times
    if (isRows) rows += inner
    if (inner > 0) rows += countUnder(count, named, fieldNodes, inner)
    if (count.fields > FIELDS_MAX) return Number.POSITIVE_INFINITY
    if (rows > count.rowsMax) return rows
  }
  return rows
}

/** How many rows the field gives at the most, as far as its arguments say. */
function sizeOf({ variables }: Count, field: GraphQLField<unknown, unknown>, node: FieldNode): number {
  if (!isListType(getNullableType(field.type))) return 1
  if (!field.args.some(({ name }) => name === 'take')) return 1
  try {
    const take: unknown = getArgumentValues(field, node, variables)['take']
    if (typeof take !== 'number') return TAKE_DEFAULT
    // What is beyond is refused where it is read.
    return Math.min(Math.max(take, 0), TAKE_MAX)
  } catch {
    // An argument that does not fit is refused by the executor.
    return 0
  }
}
