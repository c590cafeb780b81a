/**
 * Stage 8, server. How many rows an operation can ask for, and what its answer can cost: a list is as many as its `take`, once for
 * each row that it is in. Counted before anything is read, with the operation's variables; of a subscription for one change.
 */
import {
  type ExecutionArgs,
  type ExecutionResult,
  type FieldNode,
  type GraphQLField,
  type GraphQLNamedType,
  getArgumentValues,
  getNamedType,
  getOperationAST,
  isAbstractType,
  isLeafType,
  isObjectType,
  type OperationDefinitionNode,
} from 'graphql'
import { graphqlError } from '../../graphql/graphql-errors.ts'
import { coerceVariables } from '../../graphql/graphql-version.ts'
import { pageSizeOf } from '../../graphql/pagination.ts'
import { modelOfType } from '../../graphql/policy/selected-models.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'
import { type CollectScope, collectFields, fragmentsOf } from './collect-fields.ts'

type CountArgs = Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>

/** Keeps operations within a number of rows and a cost. */
export interface SizeLimit {
  /** The answer to an operation that asks for too much; null for any other. */
  refuse(args: ExecutionArgs): ExecutionResult | null
  /** How many changes one result of a subscription may have, each of which asks for all that is counted for one; at least 1. */
  changesMaxOf(args: ExecutionArgs): number
  /** Refuses queries. Subscriptions have a way of their own: `refuse`. */
  readonly plugin: PipelinePlugin
}

/** How much an operation may ask for, or asks for. */
export interface OperationSize {
  readonly rows: number
  /** 2 for an object and 1 for a value, times 1.5 for each level, as often as the answer can have it. */
  readonly cost: number
}

/** Creates the limit. */
export function createSizeLimit(max: OperationSize): SizeLimit {
  function refuse(args: ExecutionArgs): ExecutionResult | null {
    const { rows, cost } = sizeOfOperation(args, max)
    if (rows > max.rows) return refusal(`The operation can have more than ${max.rows} rows.`)
    return cost > max.cost ? refusal(`The operation can cost more than ${max.cost}.`) : null
  }
  return {
    refuse,
    changesMaxOf(args) {
      const { rows, cost } = sizeOfOperation(args, max)
      return Math.max(1, Math.floor(Math.min(max.rows / rows, max.cost / cost)))
    },
    plugin: {
      onExecute({ args, setResultAndStopExecution }) {
        const refused = refuse(args)
        if (refused !== null) setResultAndStopExecution(refused)
      },
    },
  }
}

function refusal(happened: string): ExecutionResult {
  const error = graphqlError('QUERY_OVER_LIMIT', happened, {
    hint: 'Ask for fewer fields, and say `take` where lists are in lists: each list counts as many times as its `take`, once for each row that it is in.',
  })
  return { errors: [error] }
}

/** Fields that are looked at in one operation: far more than any client writes, fragments counted wherever they are spread. */
const FIELDS_MAX = 20_000
/** Deeper is dearer: what is nested is more work than its fields say. */
const LEVEL_FACTOR = 1.5

/** What is counted so far. */
interface Count extends CollectScope {
  readonly max: OperationSize
  fields: number
}

const NOTHING: OperationSize = { rows: 0, cost: 0 }
const TOO_MUCH: OperationSize = { rows: Number.POSITIVE_INFINITY, cost: Number.POSITIVE_INFINITY }

/** At the most; counts no further than to where there is more than `max`. */
export function sizeOfOperation(args: CountArgs, max: OperationSize): OperationSize {
  const { schema, document, operationName, variableValues } = args
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return NOTHING
  const { variables } = coerceVariables(schema, operation.variableDefinitions ?? [], variableValues ?? {})
  // They do not fit: it is not executed either.
  if (variables === null) return NOTHING
  const count: Count = { schema, fragments: fragmentsOf(document), variables, max, fields: 0 }
  return sizeUnder(count, root, [operation], { times: 1, factor: LEVEL_FACTOR })
}

type Selected = Pick<FieldNode | OperationDefinitionNode, 'selectionSet'>

/** Where fields stand. */
interface Level {
  /** How often the answer can have them. */
  readonly times: number
  /** What one of them costs for being so deep. */
  readonly factor: number
}

/** The size of what the nodes select of the type. */
function sizeUnder(
  count: Count,
  type: GraphQLNamedType,
  nodes: readonly Selected[],
  level: Level,
): OperationSize {
  if (isAbstractType(type)) {
    const possible = count.schema.getPossibleTypes(type).map((each) => sizeUnder(count, each, nodes, level))
    return {
      rows: Math.max(0, ...possible.map(({ rows }) => rows)),
      cost: Math.max(0, ...possible.map(({ cost }) => cost)),
    }
  }
  if (!isObjectType(type)) return NOTHING
  const sets = nodes.flatMap(({ selectionSet }) => (selectionSet === undefined ? [] : [selectionSet]))
  let [rows, cost] = [0, 0]
  for (const fieldNodes of collectFields(count, type, sets).values()) {
    count.fields += 1
    if (count.fields > FIELDS_MAX) return TOO_MUCH
    const [node] = fieldNodes
    const field = node && type.getFields()[node.name.value]
    if (node === undefined || field === undefined) continue
    const named = getNamedType(field.type)
    const times = level.times * repeatsOf(count, field, node)
    if (givesRows(count, named)) rows += times
    // An empty list is asked for as well.
    cost += Math.max(times, level.times) * level.factor * (isLeafType(named) ? 1 : 2)
    if (times > 0) {
      const inner = sizeUnder(count, named, fieldNodes, { times, factor: level.factor * LEVEL_FACTOR })
      rows += inner.rows
      cost += inner.cost
    }
    if (rows > count.max.rows || cost > count.max.cost) break
  }
  return { rows, cost }
}

/** Also what an interface or a union may turn out to be. */
function givesRows({ schema }: Count, type: GraphQLNamedType): boolean {
  const possible = isAbstractType(type) ? [type, ...schema.getPossibleTypes(type)] : [type]
  return possible.some((each) => modelOfType(each) !== null)
}

/** How often the field's content is there at the most, as far as its arguments say. */
function repeatsOf({ variables }: Count, field: GraphQLField<unknown, unknown>, node: FieldNode): number {
  try {
    return pageSizeOf(field, () => getArgumentValues(field, node, variables))
  } catch {
    // An argument that does not fit is refused by the executor.
    return 0
  }
}
