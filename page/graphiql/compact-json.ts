/** GraphiQL: JSON for people. What fits on a line stands on one, as one would write it by hand. Pure. */

/** Characters of a line; what cannot be broken may be longer. */
const LINE_MAX = 64

/** @param value of `JSON.parse` */
export function formatCompact(value: unknown, indent = '', before = 0): string {
  const flat = formatFlat(value)
  if (typeof value !== 'object' || value === null || indent.length + before + flat.length <= LINE_MAX)
    return flat
  const inner = `${indent}  `
  const [open, close, lines] = Array.isArray(value)
    ? ['[', ']', value.map((each) => inner + formatCompact(each, inner))]
    : ['{', '}', Object.entries(value).map(([name, each]) => formatField(name, each, inner))]
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`
}

function formatField(name: string, value: unknown, indent: string): string {
  const key = `${JSON.stringify(name)}: `
  return indent + key + formatCompact(value, indent, key.length)
}

/** On one line. */
function formatFlat(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(formatFlat).join(', ')}]`
  const fields = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${formatFlat(each)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}
