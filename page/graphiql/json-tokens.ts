/** GraphiQL: JSON in pieces of one colour. Pure. */

/** A piece; `kind` is null for what has no colour of its own. */
export interface JsonToken {
  readonly kind: 'key' | 'string' | 'number' | 'word' | null
  readonly text: string
}

/** A string that is not closed goes to the end: to restart at each of its quotes would cost the square of its length. */
const TOKENS = /("(?:[^"\\]|\\.)*"?)(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g

/** Of indented JSON; what is none comes back as it is. */
export function tokenizeJson(text: string): readonly JsonToken[] {
  const tokens: JsonToken[] = []
  let end = 0
  for (const match of text.matchAll(TOKENS)) {
    const [whole, string, colon, number] = match
    if (match.index > end) tokens.push({ kind: null, text: text.slice(end, match.index) })
    const kind = string !== undefined ? (colon === undefined ? 'string' : 'key') : number ? 'number' : 'word'
    tokens.push({ kind, text: string ?? whole })
    if (colon !== undefined) tokens.push({ kind: null, text: colon })
    end = match.index + whole.length
  }
  if (end < text.length) tokens.push({ kind: null, text: text.slice(end) })
  return tokens
}
