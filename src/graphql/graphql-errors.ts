/**
 * Stage 7, graphql. The border where rowcast's errors become GraphQL's: public ones with code and mend in
 * `extensions`, all others as they are, so that the server masks them.
 */
import { GraphQLError } from 'graphql'
import { type ErrorCode, type ErrorDetails, isRowcastError, RowcastError } from '../errors.ts'

/**
 * A public RowcastError, bare or wrapped by the executor, as a GraphQLError with `extensions: { code, mend, … }`
 * and its place in the document; anything else unchanged. The result has no `originalError`: servers take
 * errors that have one for internal, and mask them.
 */
export function toGraphqlError(error: unknown): unknown {
  const located = error instanceof GraphQLError ? error : null
  const original = located === null ? error : located.originalError
  if (!isRowcastError(original) || !original.isPublic) return error
  const { nodes, path } = located ?? {}
  return new GraphQLError(original.message, {
    nodes: nodes ?? null,
    path: path ?? null,
    extensions: { code: original.code, mend: original.mend, ...original.details },
  })
}

/** A RowcastError of the given code in the form resolvers throw. */
export function graphqlError(code: ErrorCode, happened: string, options?: ErrorDetails): unknown {
  return toGraphqlError(new RowcastError(code, happened, options))
}
