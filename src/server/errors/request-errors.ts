/** Stage 8, server. Errors of requests that graphql-js leaves without a code, so that every answer has one. */
import { GraphQLError, Kind } from 'graphql'
import { isArgumentRefusal, isSyntaxError } from '../../graphql/graphql-sentences.ts'

/** The document has no operation of the name asked for, or several and none is named; Yoga says it so over HTTP. */
export function unknownOperation(): GraphQLError {
  return new GraphQLError('Could not determine what operation to execute.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  })
}

/**
 * The code of an error that has none, under the names that servers commonly use; null for what a resolver threw without
 * one. Before execution errors have no path.
 */
export function codeOfRequestError({ message, path, nodes = [] }: GraphQLError): string | null {
  if (isSyntaxError(message)) return 'GRAPHQL_PARSE_FAILED'
  if (nodes.some(({ kind }) => kind === Kind.VARIABLE_DEFINITION)) return 'BAD_USER_INPUT'
  if (path === undefined) return 'GRAPHQL_VALIDATION_FAILED'
  // An argument whose variable turns out not to fit.
  return isArgumentRefusal(message) ? 'BAD_USER_INPUT' : null
}
