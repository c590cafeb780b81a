/** Beside the spine, generator. Plain data → the TypeScript literal of it, broken into lines where it is long. */
import { invariant } from '../errors.ts'
import { escapeControls } from '../printable.ts'

const LINE_LENGTH_MAX = 110
const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/

/**
 * Formats text, finite numbers, booleans, null, and arrays and objects of them. The value's lines are indented
 * by `indent` spaces, and its first one starts at column `column`.
 */
export function formatLiteral(value: unknown, indent = 0, column = indent): string {
  const flat = formatFlat(value)
  if (column + flat.length <= LINE_LENGTH_MAX || typeof value !== 'object' || value === null) return flat
  const inner = indent + 2
  const margin = ' '.repeat(inner)
  const lines = Array.isArray(value)
    ? value.map((item) => `${margin}${formatLiteral(item, inner)},\n`)
    : Object.entries(value).map(([key, item]) => {
        const start = `${margin}${formatKey(key)}: `
        return `${start}${formatLiteral(item, inner, start.length)},\n`
      })
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${lines.join('')}${' '.repeat(indent)}${close}`
}

function formatFlat(value: unknown): string {
  if (typeof value === 'string') return formatText(value)
  if (typeof value === 'boolean' || Number.isFinite(value) || value === null) return String(value)
  invariant(typeof value === 'object', `A ${typeof value} has no literal in a catalog.`)
  if (Array.isArray(value)) return `[${value.map(formatFlat).join(', ')}]`
  const entries = Object.entries(value).map(([key, item]) => `${formatKey(key)}: ${formatFlat(item)}`)
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}

/** Formats the name of a member of an object, of a type as well as of a literal. */
export function formatKey(key: string): string {
  // In a literal a plain `__proto__` would set the prototype.
  if (key === '__proto__') return "['__proto__']"
  return PLAIN_KEY.test(key) ? key : formatText(key)
}

function formatText(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  // Reviewers read the file: marks that turn the direction of reading show as what they are.
  return `'${escapeControls(escaped)}'`
}
