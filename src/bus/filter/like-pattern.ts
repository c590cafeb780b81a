/**
 * Stage 6, bus. SQL's LIKE: `%` is any text, `_` any one character, `\` takes the next character as it is.
 * Matched segment by segment from the left, without backtracking into an earlier one, so that no pattern costs
 * more than the text's length times its own. PostgreSQL manual, 9.7.1 "LIKE".
 */

/** One character of a segment: a code point, or null for `_`. */
type Unit = string | null

/** A run between two `%`. */
interface Segment {
  /** The text, where no `_` is in it. */
  readonly literal: string | null
  readonly units: readonly Unit[]
}

/** Whether a text matches. */
export type TextTest = (text: string) => boolean

/** Compiles a pattern; null where it ends with the escape character, which PostgreSQL refuses (SQLSTATE 22025). */
export function compileLike(pattern: string): TextTest | null {
  const segments = parsePattern(pattern)
  if (segments === null) return null
  const [first, ...rest] = segments
  const last = rest.pop()
  if (first === undefined) return (text) => text === ''
  if (last === undefined) return (text) => matchAt(text, 0, first) === text.length
  return (text) => matchSegments(text, first, rest, last)
}

/** Whether a pattern means more than the text it is. */
export function isPattern(text: string): boolean {
  return /[%_\\]/.test(text)
}

function parsePattern(pattern: string): readonly Segment[] | null {
  const segments: Unit[][] = [[]]
  let isEscaped = false
  for (const character of pattern) {
    if (!isEscaped && character === '\\') {
      isEscaped = true
      continue
    }
    if (!isEscaped && character === '%') segments.push([])
    else segments.at(-1)?.push(!isEscaped && character === '_' ? null : character)
    isEscaped = false
  }
  if (isEscaped) return null
  return segments.map((units) => ({ units, literal: units.includes(null) ? null : units.join('') }))
}

function matchSegments(text: string, first: Segment, middle: readonly Segment[], last: Segment): boolean {
  let at = matchAt(text, 0, first)
  if (at < 0) return false
  for (const segment of middle) {
    at = findFrom(text, at, segment)
    if (at < 0) return false
  }
  const start = startOfLast(text, last)
  return start >= at && matchAt(text, start, last) === text.length
}

/** End of the segment when it stands at `start`; −1 when it does not. */
function matchAt(text: string, start: number, { literal, units }: Segment): number {
  if (literal !== null) return text.startsWith(literal, start) ? start + literal.length : -1
  let at = start
  for (const unit of units) {
    const length = characterLength(text, at)
    if (length === 0) return -1
    if (unit !== null && !text.startsWith(unit, at)) return -1
    at += unit === null ? length : unit.length
  }
  return at
}

/** End of the segment's first occurrence from `start` on; −1 when there is none. */
function findFrom(text: string, start: number, segment: Segment): number {
  if (segment.literal !== null) {
    const found = text.indexOf(segment.literal, start)
    return found < 0 ? -1 : found + segment.literal.length
  }
  for (let at = start; at <= text.length; at += characterLength(text, at) || 1) {
    const end = matchAt(text, at, segment)
    if (end >= 0) return end
  }
  return -1
}

/** Where a segment as long as this one begins when it ends with the text; −1 when the text is shorter. */
function startOfLast(text: string, { literal, units }: Segment): number {
  if (literal !== null) return text.length - literal.length
  let at = text.length
  for (let left = units.length; left > 0; left--) {
    if (at === 0) return -1
    at -= at > 1 && characterLength(text, at - 2) === 2 ? 2 : 1
  }
  return at
}

/** 2 for a surrogate pair, 1 for any other character, 0 at the end. */
function characterLength(text: string, at: number): number {
  const point = text.codePointAt(at)
  if (point === undefined) return 0
  return point > 0xffff ? 2 : 1
}
