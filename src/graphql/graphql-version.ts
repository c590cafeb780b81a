/**
 * Stage 7, graphql. What graphql-js 17 has otherwise than 16: coerced variables come with where they are from, and a subscription's
 * source is opened with arguments that were validated before. The only file that knows of both.
 */

import type {
  ExecutionArgs,
  ExecutionResult,
  GraphQLError,
  GraphQLResolveInfo,
  GraphQLSchema,
  VariableDefinitionNode,
} from 'graphql'
import * as graphql from 'graphql'

/** An operation's coerced variables, as graphql-js gives them to resolvers and takes them for directives and arguments. */
export type CoercedVariables = GraphQLResolveInfo['variableValues']

const isVersion16 = graphql.versionInfo.major < 17

/** The values alone, by name. */
export function valuesOf(variables: CoercedVariables): Readonly<Record<string, unknown>> {
  return isVersion16 ? variables : (variables['coerced'] as Readonly<Record<string, unknown>>)
}

/** Errors of variables that are looked for, as graphql-js does when it executes: each element of a long list may be one. */
const ERRORS_MAX = 50

/** Coerces what a client sent; null where it does not fit, with the first errors. */
export function coerceVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
  inputs: Readonly<Record<string, unknown>>,
): { readonly variables: CoercedVariables | null; readonly errors: readonly GraphQLError[] } {
  const result = graphql.getVariableValues(schema, definitions, { ...inputs }, { maxErrors: ERRORS_MAX })
  const {
    coerced,
    variableValues,
    errors = [],
  } = result as {
    readonly coerced?: CoercedVariables
    readonly variableValues?: CoercedVariables
    readonly errors?: readonly GraphQLError[]
  }
  return { variables: coerced ?? variableValues ?? null, errors }
}

/** graphql-js's `createSourceEventStream`. */
export async function openSourceEvents(
  args: ExecutionArgs,
): Promise<AsyncIterable<unknown> | ExecutionResult> {
  const validate: unknown = Reflect.get(graphql, 'validateSubscriptionArgs')
  if (typeof validate !== 'function') return graphql.createSourceEventStream(args)
  const validated: ExecutionArgs | readonly GraphQLError[] = validate(args)
  return isErrors(validated) ? { errors: validated } : graphql.createSourceEventStream(validated)
}

function isErrors(validated: ExecutionArgs | readonly GraphQLError[]): validated is readonly GraphQLError[] {
  return Array.isArray(validated)
}
