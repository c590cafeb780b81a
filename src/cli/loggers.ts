/** Beside the spine, cli. Loggers of the two commands: JSON lines for `serve`, words for `dev`. */
import { pino } from 'pino'
import { formatFacts } from '../console-logger.ts'
import { RowcastError } from '../errors.ts'
import type { LogFields, Logger } from '../logger.ts'
import { escapeControls, escapeControlsInLines } from '../printable.ts'
import { createRedactingLogger } from '../redact-log.ts'
import type { Terminal } from './terminal.ts'

/** Those of pino: other programs read the same variable. Nothing is written below `debug`, nor at `fatal`. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** The lowest level that is written, in small or capital letters. @default info @throws CONFIG_INVALID */
export function readLogLevel(text: string | undefined): string {
  const level = text === undefined || text === '' ? 'info' : text.toLowerCase()
  if (LEVELS.includes(level)) return level
  throw new RowcastError('CONFIG_INVALID', `LOG_LEVEL is no level: ${level.slice(0, SHOWN_LENGTH_MAX)}.`, {
    hint: `Set LOG_LEVEL to one of ${LEVELS.join(', ')}, or leave it out.`,
  })
}

const SHOWN_LENGTH_MAX = 40

/** JSON lines on standard output, for machines; a terminal that shows them obeys nothing in them. @param level lowest level that is written */
export function createJsonLogger(level: string): Logger {
  const logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: escapeControlsInLines },
  })
  return createRedactingLogger({
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  })
}

/** Lines for a person: warnings and errors, and everything else when verbose. */
export function createTerminalLogger(terminal: Terminal, isVerbose: boolean): Logger {
  const print = (label: string, message: string, fields?: LogFields): void =>
    terminal.print(`${label} ${escapeControls(message)}${terminal.style('dim', formatFacts(fields))}`)
  const printVerbose = (message: string, fields?: LogFields): void => {
    if (isVerbose) print(terminal.style('dim', 'info '), message, fields)
  }
  return createRedactingLogger({
    debug: printVerbose,
    info: printVerbose,
    warn: (message, fields) => print(terminal.style('yellow', 'warn '), message, fields),
    error: (message, fields) => print(terminal.style('red', 'error'), message, fields),
  })
}
