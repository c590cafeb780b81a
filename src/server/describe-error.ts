/** Stage 8, server. What of an unexpected error may be logged. */
import type { LogFields } from '../log.ts'

/** Name, code and first stack frame of an error: enough to find it, nothing of the data it was about. */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error }
  const frame = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '))
  return {
    error: error.name,
    code: 'code' in error && typeof error.code === 'string' ? error.code : undefined,
    at: frame?.trim().slice('at '.length),
  }
}
