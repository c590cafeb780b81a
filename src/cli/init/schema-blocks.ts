/**
 * Beside the spine, cli. The blocks of a Prisma schema, read by its tokens: strings, comments and braces are what they are to Prisma. Pure.
 * Prisma's schema reference, "Syntax".
 */

/** One top-level block: a model, an enum, a generator, a datasource … */
export interface SchemaBlock {
  readonly kind: string
  readonly name: string
  /** The first words of its lines, in their order: of a model, its fields. */
  readonly members: readonly string[]
  /** What is assigned to a plain text, `output = "…"`, by name. */
  readonly texts: ReadonlyMap<string, string>
  /** `@@ignore`: the client does not have the model. */
  readonly isIgnored: boolean
  /** Index behind its closing brace. */
  readonly end: number
}

interface Token {
  readonly text: string
  readonly end: number
  readonly isString: boolean
  readonly isAtLineStart: boolean
}

/** Reads the blocks; null where the text is no Prisma schema that this reader understands: then nothing may be changed in it. */
export function readSchemaBlocks(text: string): readonly SchemaBlock[] | null {
  const tokens = readTokens(text)
  if (tokens === null) return null
  const blocks: SchemaBlock[] = []
  let index = 0
  while (index < tokens.length) {
    const open = tokens.findIndex((token, at) => at >= index && !token.isString && token.text === '{')
    if (open < 0) return null
    const close = matchingBrace(tokens, open)
    if (close === null) return null
    const [kind, name] = tokens.slice(index, open)
    if (kind === undefined || name === undefined || open - index !== 2) return null
    blocks.push({
      kind: kind.text,
      name: name.text,
      ...readBody(tokens.slice(open + 1, close)),
      end: tokens[close]?.end ?? 0,
    })
    index = close + 1
  }
  return blocks
}

function matchingBrace(tokens: readonly Token[], open: number): number | null {
  let depth = 0
  for (let index = open; index < tokens.length; index += 1) {
    const token = tokens[index]
    if (token?.isString !== false) continue
    if (token.text === '{') depth += 1
    if (token.text === '}') depth -= 1
    if (depth === 0) return index
  }
  return null
}

function readBody(tokens: readonly Token[]): Pick<SchemaBlock, 'members' | 'texts' | 'isIgnored'> {
  const members: string[] = []
  const texts = new Map<string, string>()
  for (const [index, token] of tokens.entries()) {
    if (!token.isAtLineStart || token.isString) continue
    if (/^[\p{L}\p{N}_]/u.test(token.text)) members.push(token.text)
    const value = tokens[index + 2]
    if (tokens[index + 1]?.text === '=' && value?.isString === true)
      texts.set(token.text, unquote(value.text))
  }
  const isIgnored = tokens.some(
    ({ text, isAtLineStart }, index) =>
      isAtLineStart &&
      text === '@' &&
      tokens[index + 1]?.text === '@' &&
      tokens[index + 2]?.text === 'ignore',
  )
  return { members, texts, isIgnored }
}

function unquote(literal: string): string {
  try {
    return String(JSON.parse(literal))
  } catch {
    return literal.slice(1, -1)
  }
}

/** A comment, a string on one line, a word (names may have letters of any alphabet), or any other character. */
const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\[^\n])*"|[\p{L}\p{N}_][\p{L}\p{M}\p{N}_-]*|[^\s]/gu

function readTokens(text: string): readonly Token[] | null {
  const tokens: Token[] = []
  let lineOfLast = -1
  for (const { 0: found, index } of text.replace(/^\uFEFF/, ' ').matchAll(TOKEN)) {
    if (found.startsWith('//') || (found.startsWith('/*') && found.length > 2)) continue
    // A quote or a comment that does not end.
    if (found === '"' || (found === '/' && text.startsWith('/*', index))) return null
    const line = text.lastIndexOf('\n', index - 1)
    tokens.push({
      text: found,
      end: index + found.length,
      isString: found.startsWith('"'),
      isAtLineStart: line !== lineOfLast,
    })
    lineOfLast = line
  }
  return tokens
}
