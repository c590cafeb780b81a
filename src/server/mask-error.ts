/**
 * Stage 8, server. What a client sees of an error, the same on every transport: errors made for clients in
 * full, all others as one fixed sentence, since their text may quote rows, queries or settings.
 */
import { GraphQLError } from 'graphql'
import { toGraphqlError } from '../graphql/graphql-errors.ts'

/** The error as a client may see it; the same object when nothing had to be hidden. */
export function maskError(error: unknown): GraphQLError {
  const shown = toGraphqlError(error)
  if (shown instanceof GraphQLError && isMadeForClients(shown)) return shown
  const located = error instanceof GraphQLError ? error : null
  return new GraphQLError('Unexpected error.', {
    nodes: located?.nodes ?? null,
    path: located?.path ?? null,
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  })
}

/** Whether it was thrown as a GraphQLError, rather than made by the executor around another error. */
function isMadeForClients(error: GraphQLError): boolean {
  const { originalError } = error
  if (originalError === undefined || originalError === null) return true
  return originalError instanceof GraphQLError && isMadeForClients(originalError)
}
