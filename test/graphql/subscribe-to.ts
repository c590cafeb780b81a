/** Runs a subscription through graphql-js and hands its results out one by one. */
import { type ExecutionResult, type GraphQLSchema, parse, subscribe, validate } from 'graphql'

/** The results of one subscription; `return()` is a client that unsubscribes. */
export async function subscribeTo(
  schema: GraphQLSchema,
  source: string,
  variableValues: Record<string, unknown> = {},
): Promise<AsyncGenerator<ExecutionResult, void, void>> {
  const result = await trySubscribe(schema, source, variableValues)
  if (!(Symbol.asyncIterator in result)) throw new Error(JSON.stringify(result.errors))
  return result
}

/** The same, where an answer with errors instead of a stream is what the test expects. */
export async function trySubscribe(
  schema: GraphQLSchema,
  source: string,
  variableValues: Record<string, unknown> = {},
): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult> {
  const document = parse(source)
  const errors = validate(schema, document)
  if (errors.length > 0) return { errors }
  return subscribe({ schema, document, contextValue: {}, variableValues })
}

/** The next result, as JSON would carry it. */
export async function nextResult(results: AsyncGenerator<ExecutionResult, void, void>) {
  const { value } = await results.next()
  return JSON.parse(JSON.stringify(value ?? null)) as {
    data?: Record<string, unknown>
    errors?: { message: string; path?: unknown[]; extensions?: Record<string, unknown> }[]
  } | null
}
