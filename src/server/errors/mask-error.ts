/**
 * Stage 8, server. What a client sees of an error, the same on every transport: errors made for clients in
 * full, all others as one fixed sentence with an id, since their text may quote rows, queries or settings.
 * The id stands in the log beside the name, code and place of the error.
 */
import { GraphQLError } from 'graphql'
import { errorEntry, isErrorCode } from '../../errors.ts'
import { graphqlError, toGraphqlError } from '../../graphql/graphql-errors.ts'
import {
  cutSuggestion,
  isFilterShorthand,
  isScalarRefusal,
  quotesValue,
  scalarRefusalReason,
} from '../../graphql/graphql-sentences.ts'
import { isRowRefused } from '../../graphql/prisma-refusal.ts'
import { FailureLog } from '../../log-line-budget.ts'
import type { Logger } from '../../logger.ts'
import type { ErrorLocator } from './error-location.ts'
import { codeOfRequestError } from './request-errors.ts'

/** Masks errors and logs what it hides, each error once. */
export interface ErrorMask {
  /** The error as a client may see it; the same object when nothing had to be hidden. */
  mask(error: unknown): GraphQLError
  /** Whether this error was hidden from a client and logged. */
  hasLogged(error: unknown): boolean
}

/** What a mask needs. */
export interface ErrorMaskOptions {
  readonly logger: Logger
  /** Whether "Did you mean …?" is cut off: it shows names to those who may not read the schema. */
  readonly areSuggestionsHidden: boolean
  /** Where in its operation an error happened, for the log. */
  readonly locate: ErrorLocator
}

/** Creates a mask. */
export function createErrorMask({ logger, areSuggestionsHidden, locate }: ErrorMaskOptions): ErrorMask {
  const ids = new WeakMap<object, string>()
  const failures = new FailureLog(logger)

  function logOnce(error: unknown): string {
    const original = originalOf(error)
    const key = typeof original === 'object' && original !== null ? original : {}
    const known = ids.get(key)
    if (known !== undefined) return known
    const where = error instanceof GraphQLError ? locate(error) : {}
    const id = failures.report('A GraphQL operation failed unexpectedly.', original, where)
    ids.set(key, id)
    return id
  }

  /** What ends a subscription, or is to be asked again, may have a cause that clients are not shown. */
  function withLogId(error: unknown, shown: unknown): unknown {
    const original = originalOf(error)
    if (!(shown instanceof GraphQLError) || !(original instanceof Error)) return shown
    const { code } = shown.extensions
    if (original.cause === undefined || !isErrorCode(code)) return shown
    const { ends, retry } = errorEntry(code)
    // What passes: why is for whoever runs the server.
    return ends !== undefined || retry === 'backoff'
      ? remake(shown, shown.message, { ...shown.extensions, id: logOnce(original.cause) })
      : shown
  }

  return {
    mask(error) {
      const shown = withLogId(error, toGraphqlError(error))
      if (shown instanceof GraphQLError && isMadeForClients(shown)) {
        const safe = withoutValue(shown)
        // Cut last: what is not to be seen is found by words that may stand in the middle.
        return shortened(
          withCode(withHttpStatus(withHint(areSuggestionsHidden ? withoutSuggestion(safe) : safe))),
        )
      }
      if (error instanceof GraphQLError && isRefusedByScalar(error)) return unrepresentable(error)
      const id = logOnce(error)
      const located = error instanceof GraphQLError ? error : null
      if (isRowRefused(originalOf(error))) return refused(located, id)
      return new GraphQLError(`Unexpected error. The server's log has it as ${id}.`, {
        nodes: located?.nodes ?? null,
        path: located?.path ?? null,
        extensions: { code: 'INTERNAL_SERVER_ERROR', id, http: { status: 500, spec: located !== null } },
      })
    },
    hasLogged(error) {
      const original = originalOf(error)
      return typeof original === 'object' && original !== null && ids.has(original)
    },
  }
}

function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError !== undefined && error.originalError !== null
    ? originalOf(error.originalError)
    : error
}

/** Whether it was thrown as a GraphQLError, rather than made by the executor around another error. */
function isMadeForClients(error: GraphQLError): boolean {
  const { originalError } = error
  if (originalError === undefined || originalError === null) return true
  return originalError instanceof GraphQLError && isMadeForClients(originalError)
}

/** What stands at either end of a message says where and why; what a client sent may be between. */
const MESSAGE_END_LENGTH = 500

/** graphql-js quotes what a client sent, whole and again for each fault in it: an answer would be many times as long as its request. */
function shortened(error: GraphQLError): GraphQLError {
  const { message } = error
  if (message.length <= 2 * MESSAGE_END_LENGTH) return error
  const short = `${message.slice(0, MESSAGE_END_LENGTH)} … ${message.slice(-MESSAGE_END_LENGTH)}`
  return remake(error, short, error.extensions)
}

/** graphql-js quotes values of rows. Only in results: what it says of arguments quotes what the client sent. */
function withoutValue(error: GraphQLError): GraphQLError {
  const isOurs = error.path === undefined || error.extensions['code'] !== undefined
  return !isOurs && isQuoting(error) ? unrepresentable(error) : error
}

function isQuoting(error: unknown): boolean {
  return error instanceof GraphQLError && quotesValue(error.message)
}

/** Yoga's executor makes a plain Error of the GraphQLError that a scalar throws: only the text is left of it. */
function isRefusedByScalar(error: GraphQLError): boolean {
  const original = originalOf(error)
  return error.path !== undefined && original instanceof Error && isScalarRefusal(original.message)
}

function unrepresentable({ nodes, path, message: refusal }: GraphQLError): GraphQLError {
  const { message, extensions } = graphqlError(
    'GRAPHQL_VALUE_UNREPRESENTABLE',
    'The value of a field cannot be shown by its type.',
    { details: { reason: scalarRefusalReason(refusal) } },
  )
  return new GraphQLError(message, { nodes: nodes ?? null, path: path ?? null, extensions })
}

/** The query fails as a whole: Prisma Client returns no row beside the one that it refuses. */
function refused(located: GraphQLError | null, id: string): GraphQLError {
  const { message, extensions } = graphqlError(
    'GRAPHQL_VALUE_UNREPRESENTABLE',
    'A row holds a value that Prisma Client cannot read.',
    { details: { reason: 'refused', id } },
  )
  return new GraphQLError(message, { nodes: located?.nodes ?? null, path: located?.path ?? null, extensions })
}

/** Yoga reads the status of an answer, and more of its headers, from `extensions.http`. */
function withHttpStatus(error: GraphQLError): GraphQLError {
  const { code, http, retryAfterMs } = error.extensions
  const status = isErrorCode(code) ? errorEntry(code).httpStatus : undefined
  if (status === undefined || http !== undefined) return error
  const isPassing = typeof retryAfterMs === 'number'
  const headers = isPassing ? { headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) } } : {}
  return remake(error, error.message, { ...error.extensions, http: { status, ...headers } })
}

function withCode(error: GraphQLError): GraphQLError {
  const code = error.extensions['code'] === undefined ? codeOfRequestError(error) : null
  return code === null ? error : remake(error, error.message, { ...error.extensions, code })
}

/** The code that Yoga gives to what validation finds. */
const VALIDATION_FAILED = 'GRAPHQL_VALIDATION_FAILED'

const SHORTHAND_HINT = 'Write `{ equals: … }` for a value, and `{ not: { equals: … } }` for any other.'

/** What graphql-js refuses without a hint, and has one. */
function withHint(error: GraphQLError): GraphQLError {
  const code = error.extensions['code'] ?? VALIDATION_FAILED
  if (code !== VALIDATION_FAILED || !isFilterShorthand(error.message)) return error
  return remake(error, error.message, { ...error.extensions, hint: SHORTHAND_HINT })
}

function withoutSuggestion(error: GraphQLError): GraphQLError {
  // An error with a code is ours or the user's, and says what it says on purpose.
  if (error.extensions['code'] !== undefined) return error
  const message = cutSuggestion(error.message)
  return message === error.message ? error : remake(error, message, error.extensions)
}

function remake(error: GraphQLError, message: string, extensions: GraphQLError['extensions']): GraphQLError {
  return new GraphQLError(message, { nodes: error.nodes ?? null, path: error.path ?? null, extensions })
}
