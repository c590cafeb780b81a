/**
 * Stage 7, graphql. The border where rowcast's errors become GraphQL's: public ones with code and hint in
 * `extensions`, all others as they are, so that the server masks them.
 */
import { GraphQLError } from 'graphql'
import { modelRetryAfterMs } from '../bus/unread.ts'
import { type CodesWith, type ErrorDetails, errorEntry, isRowcastError, RowcastError } from '../errors.ts'

/**
 * A public RowcastError, bare or wrapped by the executor, as a GraphQLError: its `message` is the sentence for people,
 * code and hint are in `extensions: { code, hint, … }` only. It keeps its position in the document. Anything else is unchanged. The result has no `originalError`: servers take
 * errors that have one for internal, and mask them.
 */
export function toGraphqlError(error: unknown): unknown {
  const located = error instanceof GraphQLError ? error : null
  const original = located === null ? error : located.originalError
  return isRowcastError(original) && original.isPublic ? shown(original, located) : error
}

/** @param located where it stands in the document */
function shown(error: RowcastError, located: GraphQLError | null): GraphQLError {
  const { nodes, path } = located ?? {}
  const made = new GraphQLError(error.happened, {
    nodes: nodes ?? null,
    path: path ?? null,
    extensions: extensionsOf(error),
  })
  // For the log of the server: no answer has it.
  if (error.cause !== undefined) Object.defineProperty(made, 'cause', { value: error.cause })
  return made
}

/** What programs read of an error. */
export function extensionsOf({ code, hint, details }: RowcastError): Readonly<Record<string, unknown>> {
  return { code, hint, ...details }
}

/** What a client hears of the error that ended its subscription, or kept it from beginning. */
export function toSubscriptionError(error: unknown): unknown {
  const clientSees = isRowcastError(error) ? errorEntry(error.code).clientSees : undefined
  if (!isRowcastError(error) || clientSees === undefined) return toGraphqlError(error)
  // To wait would not help: a view stays one.
  if (clientSees === 'CATALOG_MODEL_NOT_REGISTERED') {
    const model = String(error.details['model'])
    return graphqlError(clientSees, `Model ${model} exists, but is not live.`, {
      hint: 'Query it; its changes do not come.',
    })
  }
  return graphqlError(clientSees, 'The changes of its model cannot be read at present.', {
    details: { retryAfterMs: modelRetryAfterMs(), ...cursorOf(error) },
  })
}

/** The cursor to go on after, where the end has one. */
function cursorOf({ details: { cursor } }: RowcastError): { readonly cursor?: string } {
  return typeof cursor === 'string' ? { cursor } : {}
}

/** The codes of errors that clients may see. */
export type PublicCode = CodesWith<{ readonly isPublic: true }>

/** A RowcastError of the given code in the form that resolvers throw, and results have. */
export function graphqlError(code: PublicCode, happened: string, options?: ErrorDetails): GraphQLError {
  return shown(new RowcastError(code, happened, options), null)
}
