/** Stage 7, graphql. A schema that is served, whoever has made it. */
import { type GraphQLSchema, validateSchema } from 'graphql'
import { RowcastError } from '../errors.ts'

/**
 * The schema itself: one that GraphQL refuses would refuse every operation, and say so to clients only.
 * @throws GRAPHQL_BAD_SCHEMA
 */
export function checkedSchema(schema: GraphQLSchema, hint: string): GraphQLSchema {
  const faults = validateSchema(schema)
  if (faults.length === 0) return schema
  throw new RowcastError('GRAPHQL_BAD_SCHEMA', 'The schema that was made is not valid GraphQL:', {
    list: faults.map(({ message }) => message),
    hint,
  })
}
