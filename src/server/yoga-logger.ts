/**
 * Stage 8, server. Yoga's log lines in our Logger, without what they must not carry: a resolver's error may
 * quote row values in its text, so only its name, code and place are logged.
 */
import { GraphQLError } from 'graphql'
import type { YogaLogger } from 'graphql-yoga'
import { isRowcastError } from '../errors.ts'
import { FailureLog } from '../log-line-budget.ts'
import type { Logger } from '../logger.ts'
import type { ErrorMask } from './errors/mask-error.ts'

/** Creates the logger Yoga is given. */
export function createYogaLogger(logger: Logger, errorMask: ErrorMask): YogaLogger {
  const failures = new FailureLog(logger)
  return {
    // Yoga's debug lines trace every request; they say nothing about rowcast.
    debug() {},
    info: (...words: unknown[]) => logger.info(wordsOf(words)),
    warn: (...words: unknown[]) => logger.warn(wordsOf(words)),
    error(...words: unknown[]) {
      const error = words.find((word) => word instanceof Error)
      if (error === undefined) return logger.error(wordsOf(words))
      const original = originalOf(error)
      // Errors made for clients are answers, not accidents: public ones, and those of variables that do not fit.
      if (original instanceof GraphQLError || (isRowcastError(original) && original.isPublic)) return
      if (errorMask.hasLogged(original)) return
      failures.report('The GraphQL server failed unexpectedly.', original)
    },
  }
}

function originalOf(error: Error): Error {
  return 'originalError' in error && error.originalError instanceof Error
    ? originalOf(error.originalError)
    : error
}

function wordsOf(words: readonly unknown[]): string {
  return words.map((word) => (typeof word === 'string' ? word : typeof word)).join(' ')
}
