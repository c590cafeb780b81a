/**
 * Beside the spine, generator. What a contract leaves out and the `.prisma` files that it was emitted from have: the `///` comments, with
 * rowcast's markers in them, and the order of fields. A line at a time: Prisma's own formatter writes a declaration a line. Where Prisma reads
 * on over the end of a line, a marker is refused rather than taken for that of something else.
 */
import { RowcastError } from '../errors.ts'
import { jsonOf } from '../member-of.ts'

/** The comments of one block, and what is in it in the order of the file. */
export interface CommentedBlock {
  readonly comment: string | null
  /** Comments of fields and relations by their names, of values of enums by what is stored. */
  readonly members: ReadonlyMap<string, string | null>
}

/** Blocks by their names. */
export type SchemaComments = ReadonlyMap<string, CommentedBlock>

const BLOCK_OPEN = /^\s*(\w+)(?:\s+([\p{L}_][\p{L}\p{M}\p{N}_]*))?\s*\{/u
const MEMBER = /^\s*([\p{L}_][\p{L}\p{M}\p{N}_]*)(?:\s|$)/u
/** The innermost ones. */
const ARGUMENTS = /[([][^()[\]]*[)\]]/g
const WORD = /[\p{L}_][\p{L}\p{M}\p{N}_.:]*/gu
const CONTINUED = /^\s*@(?:[^@]|$)/
const CLOSE = /^\s*\}/
/** What begins with one of these is passed over as a whole. */
const LITERAL_OPEN = /"/g
const ANY_OPEN = /"|\/[/*]/g
const MARKER = /@rowcast\b/gi
const MODELS = new Set(['model', 'view'])
const ENUMS = new Set(['enum', 'native_enum'])
/** `ADMIN @map("admin")` of Prisma 7, `Admin = "admin"` of Prisma 8. */
const LABEL = /(?:@map\(\s*(?:name:\s*)?|=\s*)("(?:[^"\\]|\\.)*")/

interface OpenBlock {
  readonly isEnum: boolean
  readonly members: Map<string, string | null>
}

/** What has been read so far. */
interface Reading {
  /** Of what comes next. */
  comment: string[]
  /** Those that are open, the innermost last; null for one whose comments say nothing to us. */
  readonly open: (OpenBlock | null)[]
  /** Lists and arguments that are open: what is in them declares nothing. */
  depth: number
  /** Markers that stand at something. */
  heeded: number
  /** What is not read as Prisma may read it: of no account where there are no markers. */
  readonly unclear: string[]
}

/**
 * Parses the text of all files, one after the other.
 * @throws GENERATOR_BAD_MARKER for a marker that stands at nothing: it would leave shown what somebody has hidden
 */
export function parseSchemaComments(text: string): SchemaComments {
  const blocks = new Map<string, CommentedBlock>()
  const reading: Reading = { comment: [], open: [], depth: 0, heeded: 0, unclear: [] }
  let written = 0
  for (const line of withoutLongComments(text).split(/\r?\n/)) {
    const { code, comment } = splitLine(line)
    written += countMarkers(comment ?? '')
    const isInside = reading.depth > 0
    reading.depth = depthAfter(code, reading.depth)
    if (!isInside) readLine(reading, { blocks, code, comment })
  }
  const [unclear] = written === 0 ? [] : reading.unclear
  if (unclear === undefined && written === reading.heeded) return blocks
  throw new RowcastError(
    'GENERATOR_BAD_MARKER',
    unclear ?? 'A marker stands where no model, enum, field or value follows.',
    {
      hint: 'Write it on the line above what it is about, each declaration on a line of its own, and once in all files; `--schema` names the file that the contract is from.',
    },
  )
}

function readLine(
  reading: Reading,
  given: {
    readonly blocks: Map<string, CommentedBlock>
    readonly code: string
    readonly comment: string | null
  },
): void {
  const { blocks, code, comment } = given
  const [, kind, name = ''] = BLOCK_OPEN.exec(code) ?? []
  if (code.trim() === '') {
    if (comment !== null) reading.comment.push(comment)
  } else if (kind !== undefined) {
    const block = openBlock(kind)
    if (block !== null) {
      if (blocks.has(name))
        reading.unclear.push(`There are two of the name ${name}, and markers beside them.`)
      blocks.set(name, { comment: takeComment(reading), members: block.members })
    }
    reading.comment = []
    if (!isClosed(code)) reading.open.push(block)
  } else if (CLOSE.test(code)) {
    reading.comment = []
    reading.open.pop()
    if (code.trim() !== '}') reading.unclear.push(`"${code.trim()}" is more than the end of a block.`)
  } else readMember(reading, code, comment)
}

function withoutLiterals(code: string): string {
  return replaceLiterals(code, () => '')
}

/** How many lists and arguments are open behind the line. */
function depthAfter(code: string, before: number): number {
  let depth = before
  for (const [bracket] of withoutLiterals(code).matchAll(/[()[\]]/g))
    depth = Math.max(0, depth + ('(['.includes(bracket) ? 1 : -1))
  return depth
}

/** `model A { id Int @id }` is a line. */
function isClosed(code: string): boolean {
  const bare = withoutLiterals(code)
  return bare.split('{').length === bare.split('}').length
}

function openBlock(kind: string): OpenBlock | null {
  const isEnum = ENUMS.has(kind)
  return isEnum || MODELS.has(kind) ? { isEnum, members: new Map() } : null
}

/** Attributes of a block are no members; what stands above one is about the next member. */
function readMember(reading: Reading, code: string, trailing: string | null): void {
  const [, name] = MEMBER.exec(code) ?? []
  const block = reading.open.at(-1)
  // An attribute of the field before: what is above it is about that one, which is read.
  if (CONTINUED.test(code)) reading.comment = []
  if (/[{}]/.test(withoutLiterals(code).replace(ARGUMENTS, '')))
    reading.unclear.push(`"${code.trim()}" is not a line of a block.`)
  if (name === undefined || block === undefined || block === null) return
  if (trailing !== null) reading.comment.push(trailing)
  const comment = takeComment(reading)
  const key = (block.isEnum ? labelOf(code) : null) ?? name
  if (block.members.has(key)) reading.unclear.push(`There are two of the name ${key} in a block.`)
  if (isMarked(comment) && wordsOf(code) > (block.isEnum ? 1 : 2))
    reading.unclear.push(`"${code.trim()}" declares more than one, and has a marker.`)
  block.members.set(key, comment)
}

/** A field is its name and its type, a value is its name. */
function wordsOf(code: string): number {
  let bare = withoutLiterals(code)
  for (let before = ''; before !== bare; ) {
    before = bare
    bare = bare.replace(ARGUMENTS, '')
  }
  return bare.replace(/@[^\s@]*/gu, ' ').match(WORD)?.length ?? 0
}

function labelOf(code: string): string | null {
  const [, literal] = LABEL.exec(code) ?? []
  const label = literal === undefined ? null : jsonOf(literal)
  return typeof label === 'string' ? label : null
}

function takeComment(reading: Reading): string | null {
  const { comment } = reading
  reading.comment = []
  if (comment.length === 0) return null
  const text = comment.join('\n')
  reading.heeded += countMarkers(text)
  return text
}

/** Whether rowcast is to heed it. */
export function isMarked(comment: string | null): boolean {
  return countMarkers(comment ?? '') > 0
}

function countMarkers(text: string): number {
  return text.match(MARKER)?.length ?? 0
}

/** A line without its comment; the words of one that documents, null of any other. Texts may have slashes in them. */
function splitLine(line: string): { readonly code: string; readonly comment: string | null } {
  const start = replaceLiterals(line, (literal) => '"'.repeat(literal.length)).indexOf('//')
  if (start < 0) return { code: line, comment: null }
  const comment = line.startsWith('///', start) ? line.slice(start + 3).trim() : null
  return { code: line.slice(0, start), comment }
}

/** The text with something else for each literal. A quote that is not closed on its line is none, nor is what stands behind it there. */
function replaceLiterals(text: string, by: (literal: string) => string): string {
  return replaceFound(text, LITERAL_OPEN, by)
}

/** The text with nothing but line breaks for comments of several lines. */
function withoutLongComments(text: string): string {
  return replaceFound(text, ANY_OPEN, (found) =>
    found.startsWith('/*') ? found.replace(/[^\n]/g, '') : found,
  )
}

function replaceFound(text: string, open: RegExp, by: (found: string) => string): string {
  let replaced = ''
  let from = 0
  for (let next = indexOf(text, open, from); next >= 0; next = indexOf(text, open, from)) {
    const { end, isClosed } = endOf(text, next)
    const found = text.slice(next, end)
    replaced += text.slice(from, next) + (isClosed ? by(found) : found)
    from = end
  }
  return replaced + text.slice(from)
}

function indexOf(text: string, expression: RegExp, from: number): number {
  expression.lastIndex = from
  return expression.exec(text)?.index ?? -1
}

function endOf(text: string, start: number): { readonly end: number; readonly isClosed: boolean } {
  if (text[start] === '"') return literalEnd(text, start)
  const isLong = text[start + 1] === '*'
  const close = text.indexOf(isLong ? '*/' : '\n', start + 2)
  if (close < 0) return { end: text.length, isClosed: !isLong }
  return { end: isLong ? close + 2 : close, isClosed: true }
}

function literalEnd(text: string, start: number): { readonly end: number; readonly isClosed: boolean } {
  let at = start + 1
  for (; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '"') return { end: at + 1, isClosed: true }
    if (text[at] === '\\' && text[at + 1] !== '\n') at += 1
  }
  return { end: Math.min(at, text.length), isClosed: false }
}
