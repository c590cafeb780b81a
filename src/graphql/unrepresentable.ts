/** Stage 7, graphql. The error of a field whose value PostgreSQL holds and the field cannot show. */
import { RowcastError } from '../errors.ts'
import { toGraphqlError } from './graphql-errors.ts'

/** To be thrown by the resolver of such a value: it fails its own field. Never with the value. */
export function unrepresentable(field: string, reason: string): unknown {
  return toGraphqlError(unrepresentableError(field, reason))
}

/** The same for scalars: executors make plain errors of the GraphQLErrors that a scalar throws, without the code. */
export function unrepresentableError(field: string, reason: string): RowcastError {
  return new RowcastError(
    'GRAPHQL_VALUE_UNREPRESENTABLE',
    `The value of ${field} cannot be shown (${reason}).`,
    {
      details: { reason },
    },
  )
}
