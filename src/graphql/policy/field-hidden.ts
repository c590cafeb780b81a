/** Stage 7, graphql. The error of a field that the policy of its model hides from the viewer. */
import type { GraphQLError } from 'graphql'
import { graphqlError } from '../graphql-errors.ts'

/** To be thrown when such a field is selected, or looked up by. */
export function fieldHidden(model: string, field: string): GraphQLError {
  return graphqlError('FIELD_HIDDEN', `${model}.${field} is not for this viewer.`)
}
