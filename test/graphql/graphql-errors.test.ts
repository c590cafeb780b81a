import { GraphQLError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { toGraphqlError, toSubscriptionError } from '../../src/graphql/graphql-errors.ts'

describe('toGraphqlError', () => {
  const shown = new RowcastError('GRAPHQL_BAD_ARGUMENT', 'skip is negative.', { hint: 'Count from 0.' })
  const hidden = new RowcastError('BUG', 'Something of ours.')

  it('is the sentence of a public error, with code and hint in extensions only', () => {
    const error = toGraphqlError(shown) as GraphQLError
    expect(error).toBeInstanceOf(GraphQLError)
    expect(error.toJSON()).toEqual({
      message: 'skip is negative.',
      extensions: { code: 'GRAPHQL_BAD_ARGUMENT', hint: 'Count from 0.' },
    })
  })

  it('keeps the place of one that the executor has located, and drops the original', () => {
    const located = new GraphQLError(shown.message, { path: ['users'], originalError: shown })
    const error = toGraphqlError(located) as GraphQLError
    expect(error.path).toEqual(['users'])
    expect(error.extensions['code']).toBe('GRAPHQL_BAD_ARGUMENT')
    // Servers mask every error that wraps another.
    expect(error.originalError).toBeUndefined()
  })

  it('leaves everything else to the server', () => {
    const foreign = new Error('secret')
    const located = new GraphQLError('secret', { originalError: hidden })
    for (const error of [hidden, foreign, located, 'text', null]) expect(toGraphqlError(error)).toBe(error)
  })
})

describe('toSubscriptionError', () => {
  it.each(['CATALOG_DRIFT', 'CATALOG_SOFT_DELETE_UNKNOWN', 'SOURCE_TABLE_NOT_PUBLISHED'] as const)(
    'says MODEL_UNAVAILABLE for %s, when to come back, and nothing of tables and columns',
    (code) => {
      const error = toSubscriptionError(new RowcastError(code, 'Table "secret_table" lost "secret_column".'))
      expect(error).toMatchObject({
        extensions: { code: 'MODEL_UNAVAILABLE', retryAfterMs: expect.any(Number) },
      })
      expect(JSON.stringify(error)).not.toContain('secret')
    },
  )

  it('leaves other errors as toGraphqlError has them', () => {
    const bug = new RowcastError('BUG', 'Something of ours.')
    expect(toSubscriptionError(bug)).toBe(bug)
  })
})
