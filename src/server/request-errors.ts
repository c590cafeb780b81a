/** Stage 8, server. Errors of requests that graphql-js leaves without a code, so that every answer has one. */
import { GraphQLError } from 'graphql'

/** The document has no operation of the name asked for, or several and none is named; Yoga says it so over HTTP. */
export function unknownOperation(): GraphQLError {
  return new GraphQLError('Could not determine what operation to execute.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  })
}
