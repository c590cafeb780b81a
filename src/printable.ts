/**
 * Text of others (names of tables, a client's header, a server's message) as it may stand in a log, on a terminal or
 * in a comment: nothing in it starts a line, moves a cursor or turns the direction of reading.
 */

/** Control characters, line and paragraph separators, and the marks of Unicode's bidirectional algorithm. */
export const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

const SHORT_FORMS: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Escapes control characters as JSON does: a line break becomes `\n`, an escape character `\u001b`. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, escapeControl)
}

/** The same, but that lines stay lines: for text of several lines whose foreign parts were escaped already. */
export function escapeControlsInLines(text: string): string {
  return text.replace(CONTROLS, (control) => (control === '\n' ? control : escapeControl(control)))
}

/** True when `escapeControls` would change the text. */
export function hasControls(text: string): boolean {
  return text.search(CONTROLS) >= 0
}

function escapeControl(control: string): string {
  return SHORT_FORMS[control] ?? `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The longest text of a value that a sentence shows. */
const SHOWN_VALUE_MAX = 200

/** A value of a config in a sentence. Nothing of it is called: JSON.stringify throws at a bigint, a circle, a `toJSON` of its own. */
export function shownValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.slice(0, SHOWN_VALUE_MAX))
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? 'a list' : 'an object'
    case 'function':
    case 'symbol':
      return `a ${typeof value}`
    default:
      return String(value)
  }
}
