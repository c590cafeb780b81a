/**
 * Stage 3, catalog. The lexer of PostgreSQL's array literals: `{a,"b,\"c",NULL,{…}}`, bounds (`[2:3]=`) allowed.
 * Source: PostgreSQL manual, "Arrays", section "Array Input and Output Syntax".
 */

const BACKSLASH = 0x5c
const QUOTE = 0x22
const OPEN = 0x7b
const CLOSE = 0x7d

/** Position of the quote that closes the element beginning at `start`. */
function findQuotedEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at
}

/** Position of the delimiter or brace that ends the unquoted element beginning at `start`. */
function findPlainEnd(text: string, start: number, delimiter: number): number {
  let at = start
  while (at < text.length && text.charCodeAt(at) !== delimiter && text.charCodeAt(at) !== CLOSE) at++
  return at
}

/**
 * Parses what array_out printed into nested lists of what `parseElement` makes of each element, null for NULL.
 * Null where the text is no array at all. The delimiter is a comma for all types but box (pg_type.typdelim).
 */
export function parseArrayText(
  text: string,
  parseElement: (text: string) => unknown,
  delimiter: ',' | ';' = ',',
): unknown[] | null {
  const delimiterCode = delimiter.charCodeAt(0)
  const root: unknown[] = []
  const open: unknown[][] = []
  let current = root
  let at = text.indexOf('{')
  if (at === -1 || text.charCodeAt(text.length - 1) !== CLOSE) return null
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === OPEN) {
      const inner = open.length === 0 ? root : []
      if (inner !== root) current.push(inner)
      open.push(current)
      current = inner
      at++
    } else if (code === CLOSE) {
      current = open.pop() ?? root
      at++
    } else if (code === delimiterCode) {
      at++
    } else if (code === QUOTE) {
      const end = findQuotedEnd(text, at + 1)
      const quoted = text.slice(at + 1, end)
      current.push(parseElement(quoted.includes('\\') ? quoted.replace(/\\(.)/gs, '$1') : quoted))
      at = end + 1
    } else {
      const end = findPlainEnd(text, at, delimiterCode)
      const plain = text.slice(at, end)
      current.push(plain === 'NULL' ? null : parseElement(plain))
      at = end
    }
  }
  return root
}
