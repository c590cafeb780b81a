/** What of an unexpected error may be logged. */
import type { RowcastError } from './errors.ts'
import type { LogFields } from './logger.ts'

/** Name, code and first stack frame of an error: enough to find it, nothing of the data it was about. */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error }
  const { name, code } = error as NodeJS.ErrnoException
  return { error: wordOf(name) ?? 'Error', code: wordOf(code), at: placeOf(error) }
}

/** What a failure of ours is logged with: of a mistake of a program, where it is made. */
export function failureFields({ code, cause }: RowcastError): LogFields {
  return code === 'BUG' && cause !== undefined ? { ...describeError(cause), code } : { code }
}

/** A name as programs give them; anything else might be data. */
function wordOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.$-]{1,64}$/.test(value) ? value : undefined
}

/** The first frame. The stack starts with the message, and that may hold lines that look like frames. */
function placeOf({ stack = '', message }: Error): string | undefined {
  const messageStart = stack.indexOf(message)
  if (messageStart < 0) return undefined
  const frames = stack.slice(messageStart + message.length).split('\n')
  return frames
    .find((line) => /^\s+at /.test(line))
    ?.trim()
    .slice('at '.length)
}

/** What was thrown; whatever is no error is the message of one. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
