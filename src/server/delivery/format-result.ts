/** Stage 8, server. One result as JSON. */
import type { ExecutionResult } from 'graphql'
import { formatGraphqlError } from '../session/connection-state.ts'

/** Without what Yoga's plugins note on it for themselves. */
export function formatResult({ data, errors, extensions }: ExecutionResult): string {
  return JSON.stringify({
    ...(data === undefined ? {} : { data }),
    ...(errors === undefined ? {} : { errors: errors.map(formatGraphqlError) }),
    ...(extensions === undefined ? {} : { extensions }),
  })
}
