/** Stage 7, graphql. The error of a field whose value PostgreSQL holds and the field cannot show. */
import type { GraphQLError } from 'graphql'
import { RowcastError } from '../errors.ts'
import { extensionsOf, graphqlError } from './graphql-errors.ts'

const CODE = 'GRAPHQL_VALUE_UNREPRESENTABLE'

/** To be thrown by the resolver of such a value: it fails its own field. Never with the value. */
export function unrepresentable(field: string, reason: string): GraphQLError {
  return graphqlError(CODE, textOf(field, reason), { details: { reason } })
}

/**
 * The same for scalars. Not a GraphQLError: executors make plain errors of those that a scalar throws, without the code.
 * GraphQL copies `message` and `extensions` of any other error: servers that are not ours show both.
 */
export function unrepresentableError(field: string, reason: string): RowcastError {
  const error = new RowcastError(CODE, textOf(field, reason), { details: { reason } })
  error.message = error.happened
  return Object.assign(error, { extensions: extensionsOf(error) })
}

function textOf(field: string, reason: string): string {
  return `The value of ${field} cannot be shown (${reason}).`
}
