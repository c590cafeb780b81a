/**
 * Beside the spine, cli. The last gate before a log is written: what looks like a password, a token or a cookie does not
 * pass. Nothing in rowcast logs one; this is for what drivers and servers put into the texts of their errors.
 */
import type { LogFields, Logger } from '../log.ts'

/** What stands where a secret was. */
export const REDACTED = '[redacted]'

/** Fields that hold secrets whatever is in them. */
const SECRET_FIELD =
  /pass(word|wd|phrase)?$|secret|token|authorization|cookie|credential|api_?key|dsn|^(database|redis)_?url$/i

/** Each with what of it stays. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  // Addresses with a password, up to the last @ before a space or a quote: passwords hold slashes and @ themselves. The
  // mends of errors show how one is written.
  [/\b([a-z][a-z0-9+.-]*:\/\/)(?!USER:PASSWORD@)[^\s"'`]*@/gi, `$1${REDACTED}@`],
  [/\b(authorization|(?:set-)?cookie)(["']?\s*[:=]\s*)[^\r\n]+/gi, `$1$2${REDACTED}`],
  [/\b(bearer|basic)\s+[^\s"',;]{8,}/gi, `$1 ${REDACTED}`],
  [
    /\b(pass(?:word|wd)?|secret|token|api[_-]?key)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)/gi,
    `$1$2${REDACTED}`,
  ],
  // PostgreSQL's details quote keys of rows, and whole rows: Key (email)=(ada@x.org), row contains (1, ada).
  [/(\bKey \([^)]*\)=)\([^\r\n]*\)/g, `$1(${REDACTED})`],
  [/(\brow contains )\([^\r\n]*\)/g, `$1(${REDACTED})`],
]

/** The text without secrets. */
export function redactText(text: string): string {
  return SECRET_TEXTS.reduce((rest, [pattern, kept]) => rest.replace(pattern, kept), text)
}

/** The same logger, but that no secret reaches it. */
export function createRedactingLogger(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void =>
      logger[level](redactText(message), fields === undefined ? undefined : redactFields(fields))
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}

function redactFields(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value !== 'string') return [name, value]
      return [name, SECRET_FIELD.test(name) ? REDACTED : redactText(value)]
    }),
  )
}
