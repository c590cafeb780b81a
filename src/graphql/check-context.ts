/** Stage 7, graphql. What every operation must come with, whatever server it runs in. */
import { RowcastError } from '../errors.ts'

/**
 * Policies, and Pothos itself, keep what they know of a viewer beside the context.
 * @throws GRAPHQL_NO_CONTEXT where the server gives operations none
 */
export function checkContext(context: unknown): asserts context is object {
  if (typeof context === 'object' && context !== null) return
  const given = context === undefined || context === null ? `${context}` : `a ${typeof context}`
  throw new RowcastError('GRAPHQL_NO_CONTEXT', `The GraphQL context of the operation is ${given}, no object.`)
}
