/**
 * Beside the spine. The last gate before a log of ours is written: what looks like a password, a token or a cookie does not
 * pass. Nothing in rowcast logs one; this is for what drivers and servers put into the texts of their errors.
 */
import type { LogFields, Logger } from './logger.ts'

/** What stands where a secret was. */
export const REDACTED = '[redacted]'

/** Fields that hold secrets whatever is in them. */
const SECRET_FIELD =
  /pass(word|wd|phrase)?$|secret|token|authorization|cookie|credential|api_?key|dsn|^(database|redis)_?url$/i

/** What stands before a secret, and where the secret that begins at an index ends. All is linear: the texts are those of others. */
const SECRET_TEXTS: readonly (readonly [RegExp, (text: string, start: number) => number])[] = [
  [/(?:authorization|cookie)["']?\s*[:=]/gi, (text, start) => endOfWord(text, start, /[\r\n]/g)],
  [/\b(?:bearer|basic)\s/gi, endOfCredentials],
  [/(?:\bpass|password|passwd|secret|token|api[_-]?key)["']?\s*[=:]/gi, endOfSetting],
]

/** The text without secrets. */
export function redactText(text: string): string {
  const withoutRows = redactRow(redactRow(redactAddresses(text), 'Key (', ')=('), 'row contains (', '(')
  return SECRET_TEXTS.reduce((rest, [before, endOf]) => redactAfter(rest, before, endOf), withoutRows)
}

function redactAfter(text: string, before: RegExp, endOf: (text: string, start: number) => number): string {
  let redacted = ''
  let from = 0
  for (const { 0: name, index } of text.matchAll(before)) {
    const start = endOfWord(text, index + name.length, /\S/g)
    const end = index < from ? start : endOf(text, start)
    if (end === start) continue
    redacted += text.slice(from, start) + REDACTED
    from = end
  }
  return redacted + text.slice(from)
}

/** Words after "bearer" in plain prose are shorter. */
const CREDENTIALS_LENGTH_MIN = 8

function endOfCredentials(text: string, start: number): number {
  const end = endOfWord(text, start, /[\s"',;]/g)
  return end - start < CREDENTIALS_LENGTH_MIN ? start : end
}

/** `password=…`, `"token": "…"`: behind the closing quote, where there is none at the next separator. */
function endOfSetting(text: string, start: number): number {
  const quote = text[start]
  if (quote !== '"' && quote !== "'") return endOfWord(text, start, /[\s,;&"']/g)
  let end = start + 1
  while (end < text.length && text.charAt(end) !== quote) end += text.charAt(end) === '\\' ? 2 : 1
  return Math.min(end + 1, text.length)
}

/** Schemes whose addresses have no user, and those where the user ends before the first slash: paths there hold `@scope`. */
const PATH_SCHEMES = /(?:^|[^a-z0-9+.-])(?:file|node|data|blob|webpack(?:-internal)?)$/i
const WEB_SCHEMES = /(?:^|[^a-z0-9+.-])(?:https?|wss?)$/i
/** The longest scheme above, and the character before it. */
const SCHEME_LENGTH_MAX = 17

/**
 * Addresses with a password, up to the last @ before a space or a quote: passwords of databases hold slashes and @
 * themselves. A web address is read as RFC 3986 has it: its user ends before the path. The hints of errors show how
 * one is written.
 */
function redactAddresses(text: string): string {
  let redacted = ''
  let from = 0
  for (let at = text.indexOf('://'); at >= 0; ) {
    const start = at + 3
    const end = endOfWord(text, start, /[\s"'`]/g)
    const length = userLength(text.slice(Math.max(0, at - SCHEME_LENGTH_MAX), at), text.slice(start, end))
    if (length >= 0 && !text.startsWith('USER:PASSWORD@', start)) {
      redacted += text.slice(from, start) + REDACTED
      from = start + length
    }
    at = text.indexOf('://', end)
  }
  return redacted + text.slice(from)
}

/** Where the @ after user and password stands; -1 without one. */
function userLength(before: string, address: string): number {
  if (PATH_SCHEMES.test(before)) return -1
  return (WEB_SCHEMES.test(before) ? (address.split(/[/?#]/, 1)[0] ?? '') : address).lastIndexOf('@')
}

function endOfWord(text: string, start: number, separator: RegExp): number {
  separator.lastIndex = start
  return separator.exec(text)?.index ?? text.length
}

/**
 * PostgreSQL's details quote keys of rows, and whole rows: `Key (email)=(ada@x.org) already exists`, `row contains (1, ada)`.
 * Values hold brackets and line breaks themselves, so all goes up to the text's last bracket.
 */
function redactRow(text: string, opening: string, beforeValues: string): string {
  const found = text.indexOf(opening)
  const start = found < 0 ? -1 : text.indexOf(beforeValues, found)
  if (start < 0) return text
  const values = start + beforeValues.length
  const end = text.lastIndexOf(')')
  return `${text.slice(0, values)}${REDACTED}${end < values ? '' : text.slice(end)}`
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
