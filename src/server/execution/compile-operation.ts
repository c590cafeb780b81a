/**
 * Stage 8, server. Subscriptions whose selection is plain (objects, interfaces, columns, enums; no relations, no arguments) as
 * one function from a delivery to the text of its result. It calls the schema's own resolvers and scalars in
 * graphql-js's order, and knows the good case only: on a promise, an error or a null where none may be, it gives up
 * and graphql-js does the delivery from the start.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getOperationAST,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import { coerceVariables } from '../../graphql/graphql-version.ts'
import { selectedByPothos } from '../../graphql/pothos-internals.ts'
import { collectFields, fragmentsOf } from './collect-fields.ts'
import { type CompileScope, FieldInfo, type FieldPath, type FieldPlace } from './field-info.ts'

/** What is compiled. */
export interface CompilableOperation {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operationName?: string | null | undefined
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined
}

/** The compiled form. */
export interface CompiledOperation {
  /** The result of one delivery; null when graphql-js has to do it. */
  run(delivery: unknown, context: unknown): CompiledResult | null
}

/** What came of a delivery. */
export interface CompiledResult {
  /** The result as JSON. */
  readonly text: string
  /** Whether the field `cursor` of the change is selected under its own name, for the type that the change is of. */
  readonly hasCursor: boolean
}

/** One delivery on its way. */
interface Run {
  readonly context: unknown
  readonly rootValue: unknown
  /** Of the first abstract type that was resolved: that of the change. */
  typeName: string | null
}

/** Writes the JSON of a value. */
type WriteValue = (value: unknown, run: Run) => string
/** Writes the JSON of a field of an object. */
type WriteField = (source: unknown, run: Run) => string

/** Not an error: this delivery is one for graphql-js. */
const GIVE_UP: unique symbol = Symbol('rowcast.giveUp')
/** Not only this one: what came was a promise, and would be for the next delivery, too. */
const GIVE_UP_FOR_GOOD: unique symbol = Symbol('rowcast.giveUpForGood')

/** Compiles an operation whose document is valid; null where its selection is not plain. */
export function compileOperation({
  schema,
  document,
  operationName,
  variableValues,
}: CompilableOperation): CompiledOperation | null {
  const operation = getOperationAST(document, operationName)
  const rootType = schema.getSubscriptionType()
  if (operation === null || operation === undefined || rootType === null || rootType === undefined)
    return null
  const definitions = operation.variableDefinitions ?? []
  const { variables } = coerceVariables(schema, definitions, variableValues ?? {})
  if (variables === null) return null
  const scope: CompileScope = { schema, fragments: fragmentsOf(document), variables, operation }
  try {
    const write = compileObject(scope, rootType, [operation], { path: undefined, isRoot: true })
    return { run: runner(write, typesWithCursor(scope, rootType)) }
  } catch (reason) {
    if (reason === GIVE_UP) return null
    throw reason
  }
}

function runner(write: WriteValue, withCursor: TypesWithCursor): CompiledOperation['run'] {
  let isHopeless = false
  return (delivery, context) => {
    if (isHopeless) return null
    try {
      const run: Run = { context, rootValue: delivery, typeName: null }
      const text = `{"data":${write(delivery, run)}}`
      return { text, hasCursor: run.typeName === null ? withCursor.size > 0 : withCursor.has(run.typeName) }
    } catch (reason) {
      if (reason === GIVE_UP_FOR_GOOD) isHopeless = true
      // Whatever a resolver threw, it throws again, where its place in the result is found for it.
      return null
    }
  }
}

/** Names of the types of a change that have their cursor selected. */
type TypesWithCursor = ReadonlySet<string>

function typesWithCursor(scope: CompileScope, rootType: GraphQLObjectType): TypesWithCursor {
  for (const nodes of collectFields(scope, rootType, [scope.operation.selectionSet]).values()) {
    const type = rootType.getFields()[nodes[0]?.name.value ?? '']?.type
    const payload = isNonNullType(type) ? type.ofType : type
    const possible = isAbstractType(payload) ? scope.schema.getPossibleTypes(payload) : [payload]
    const types = possible
      .filter((each) => isObjectType(each))
      .filter((each) => hasCursor(scope, each, nodes))
    return new Set(types.map(({ name }) => name))
  }
  return new Set()
}

function hasCursor(scope: CompileScope, type: GraphQLObjectType, nodes: readonly FieldNode[]): boolean {
  return collectFields(scope, type, selectionSetsOf(nodes)).get('cursor')?.[0]?.name.value === 'cursor'
}

function selectionSetsOf(nodes: readonly Pick<FieldNode, 'selectionSet'>[]) {
  return nodes.flatMap(({ selectionSet }) => (selectionSet === undefined ? [] : [selectionSet]))
}

/** Where in the result an object stands. */
interface ObjectAt {
  readonly path: FieldPath | undefined
  /** @default false */
  readonly isRoot?: boolean | undefined
}

function compileObject(
  scope: CompileScope,
  type: GraphQLObjectType,
  nodes: readonly Pick<FieldNode, 'selectionSet'>[],
  { path: prev, isRoot = false }: ObjectAt,
): WriteValue {
  // It would have to be asked, and it may answer with a promise.
  if (type.isTypeOf !== undefined && type.isTypeOf !== null) throw GIVE_UP
  const fields = [...collectFields(scope, type, selectionSetsOf(nodes))].map(([name, fieldNodes], index) => ({
    prefix: `${index === 0 ? '' : ','}${JSON.stringify(name)}:`,
    write: compileField(scope, type, fieldNodes, { path: { prev, key: name, typename: type.name }, isRoot }),
  }))
  return (source, run) => {
    let text = '{'
    for (const { prefix, write } of fields) text += prefix + write(source, run)
    return `${text}}`
  }
}

/** Compiled for each type that it can turn out to be; which one it is, is asked of each value. */
function compileAbstract(
  scope: CompileScope,
  type: GraphQLAbstractType,
  nodes: readonly FieldNode[],
  place: FieldPlace,
): WriteValue {
  const { resolveType } = type
  if (resolveType === undefined || resolveType === null) throw GIVE_UP
  const writers = new Map(
    scope.schema
      .getPossibleTypes(type)
      .map((possible) => [possible.name, compileObject(scope, possible, nodes, place)]),
  )
  return (value, run) => {
    const name = resolveType(value, run.context, new FieldInfo(scope, place, run.rootValue), type)
    if (typeof name === 'object') checkIsValue(name)
    const write = typeof name === 'string' ? writers.get(name) : undefined
    if (typeof name !== 'string' || write === undefined) throw GIVE_UP
    run.typeName ??= name
    return write(value, run)
  }
}

function compileField(
  scope: CompileScope,
  parentType: GraphQLObjectType,
  fieldNodes: readonly FieldNode[],
  { path, isRoot }: { readonly path: FieldPath; readonly isRoot: boolean },
): WriteField {
  const fieldName = fieldNodes[0]?.name.value ?? ''
  if (fieldName === '__typename') {
    const text = JSON.stringify(parentType.name)
    return () => text
  }
  const field = parentType.getFields()[fieldName]
  // The root's arguments choose the changes, and its resolver hands on what was chosen.
  if (field === undefined || (field.args.length > 0 && !isRoot) || readsDatabase(field)) throw GIVE_UP
  const place: FieldPlace = { field, fieldNodes, parentType, path }
  const writeValue = compileValue(scope, place)
  const { resolve } = field
  if (resolve === undefined) {
    return (source, run) => {
      const value = (source as Record<string, unknown>)[fieldName]
      if (typeof value === 'function') throw GIVE_UP
      return writeValue(value, run)
    }
  }
  return (source, run) => {
    const info = new FieldInfo(scope, place, run.rootValue)
    return writeValue(resolve(source, {}, run.context, info), run)
  }
}

/** Relations and the like: what Pothos' Prisma plugin resolves with a query. */
function readsDatabase({ extensions }: GraphQLField<unknown, unknown>): boolean {
  return selectedByPothos(extensions) !== undefined
}

function compileValue(scope: CompileScope, place: FieldPlace): WriteValue {
  const { type }: { readonly type: GraphQLOutputType } = place.field
  const isRequired = isNonNullType(type)
  const inner = isRequired ? type.ofType : type
  const write = isLeafType(inner)
    ? leafWriter(inner)
    : isObjectType(inner)
      ? compileObject(scope, inner, place.fieldNodes, place)
      : isListType(inner)
        ? listWriter(inner.ofType)
        : compileAbstract(scope, inner, place.fieldNodes, place)
  return (value, run) => {
    if (value === null || value === undefined) {
      if (isRequired) throw GIVE_UP
      return 'null'
    }
    if (typeof value === 'object') checkIsValue(value)
    return write(value, run)
  }
}

/** Lists of values; objects in lists have paths of their own. */
function listWriter(itemType: GraphQLOutputType): WriteValue {
  const isRequired = isNonNullType(itemType)
  const inner = isRequired ? itemType.ofType : itemType
  if (!isLeafType(inner)) throw GIVE_UP
  const write = leafWriter(inner)
  return (list, run) => {
    if (!Array.isArray(list)) throw GIVE_UP
    let text = '['
    for (let index = 0; index < list.length; index += 1) {
      const item: unknown = list[index]
      if (index > 0) text += ','
      if (item === null || item === undefined) {
        if (isRequired) throw GIVE_UP
        text += 'null'
      } else {
        if (typeof item === 'object') checkIsValue(item)
        text += write(item, run)
      }
    }
    return `${text}]`
  }
}

function leafWriter(type: GraphQLLeafType): WriteValue {
  return (value) => {
    const result: unknown = type.serialize(value)
    if (result === null || result === undefined) throw GIVE_UP
    const text: string | undefined = JSON.stringify(result)
    if (text === undefined) throw GIVE_UP
    return text
  }
}

function checkIsValue(value: object): void {
  if (value instanceof Error) throw GIVE_UP
  if ('then' in value && typeof value.then === 'function') {
    // It was begun for nothing; its failure is reported by the one that graphql-js begins.
    value.then(undefined, () => undefined)
    throw GIVE_UP_FOR_GOOD
  }
}
