/**
 * Beside the spine. The logger of the library where the application gives none: warnings and errors reach the console,
 * so that nobody waits for changes that cannot come without a word of why.
 */
import type { LogFields, Logger } from './logger.ts'
import { escapeControls } from './printable.ts'
import { createRedactingLogger } from './redact-log.ts'

/** What the logger needs of a console. */
export type ConsoleLike = Pick<Console, 'warn' | 'error'>

/** Facts as ` name=value`, in one line whatever they hold. */
export function formatFacts(fields: LogFields = {}): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${escapeControls(String(value))}`)
    .join('')
}

/** Warnings and errors, a line each, without secrets; nothing of less weight. */
export function createConsoleLogger(out: ConsoleLike = console): Logger {
  const lineOf = (message: string, fields?: LogFields): string =>
    `rowcast: ${escapeControls(message)}${formatFacts(fields)}`
  return createRedactingLogger({
    debug() {},
    info() {},
    warn: (message, fields) => out.warn(lineOf(message, fields)),
    error: (message, fields) => out.error(lineOf(message, fields)),
  })
}
