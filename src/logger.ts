/** The one way out for words: an injected logger. Names, codes and counts only; never row values or passwords. */

/** Facts beside a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** What rowcast needs of a logger; pino and console-like loggers are a two-line adapter away. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Says nothing: for those who want the library silent. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}
