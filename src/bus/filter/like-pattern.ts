/**
 * Stage 6, bus. SQL's LIKE: `%` is any text, `_` any one character, `\` takes the next character as it is. Pattern and
 * text are those of others, so the time is linear in the text: runs between two `%` are found from the left, each behind
 * the one before, and a run is found in one pass. PostgreSQL manual, 9.7.1 "LIKE".
 */
import { createRunFinder, type RunFinder, type Unit } from './wildcard-run.ts'

/** A run between two `%`. */
interface Run {
  /** The text, where no `_` is in it. */
  readonly literal: string | null
  readonly units: readonly Unit[]
}

/** Whether a text matches; null where it is too long for the pattern to be decided. */
export type TextTest = (text: string) => boolean | null

/** A compiled pattern. */
export interface LikePattern {
  readonly test: TextTest
  /** What a character of the text costs: 1 where it is looked for as it is, more where `_` stands between two `%`. */
  readonly weight: number
}

/** Why a pattern cannot be used. */
export type PatternFault = 'ends-escaped' | 'too-long' | 'run-too-long'

/** The longest pattern, in UTF-16 units. */
export const PATTERN_LENGTH_MAX = 1_000
/**
 * The longest run between two `%`. V8 looks for a text in another in linear time while it can prepare for the whole of
 * what it looks for: kBMMaxShift, src/strings/string-search.h.
 */
export const RUN_LENGTH_MAX = 250

/** Compiles a pattern; a fault where it is too long, or ends with the escape character (SQLSTATE 22025). */
export function compileLike(pattern: string): LikePattern | PatternFault {
  if (pattern.length > PATTERN_LENGTH_MAX) return 'too-long'
  const runs = parsePattern(pattern)
  if (runs === null) return 'ends-escaped'
  const [first, ...rest] = runs
  const last = rest.pop()
  if (first === undefined) return { test: (text) => text === '', weight: 1 }
  if (last === undefined) return { test: (text) => matchAt(text, 0, first) === text.length, weight: 1 }
  if (rest.some(({ units }) => units.length > RUN_LENGTH_MAX)) return 'run-too-long'
  const middle = rest.map(createFinder)
  return {
    test: (text) => matchRuns(text, first, middle, last),
    weight: middle.reduce((sum, { weight }) => Math.max(sum, weight), 1),
  }
}

/** Whether a pattern means more than the text it is. */
export function isPattern(text: string): boolean {
  return /[%_\\]/.test(text)
}

function parsePattern(pattern: string): readonly Run[] | null {
  const runs: Unit[][] = [[]]
  let isEscaped = false
  for (const character of pattern) {
    if (!isEscaped && character === '\\') {
      isEscaped = true
      continue
    }
    if (!isEscaped && character === '%') runs.push([])
    else runs.at(-1)?.push(!isEscaped && character === '_' ? null : character)
    isEscaped = false
  }
  if (isEscaped) return null
  return runs.map((units) => ({ units, literal: units.includes(null) ? null : units.join('') }))
}

/** A text from here on is long: V8's search for a few characters may take twenty times what one pass does. */
const LONG_TEXT = 4_096
const FEW_CHARACTERS = 32

function createFinder({ literal, units }: Run): RunFinder {
  if (literal === null) return createRunFinder(units)
  const inOnePass = units.length > 0 && units.length <= FEW_CHARACTERS ? createRunFinder(units) : null
  return {
    weight: 1,
    find(text, start) {
      if (inOnePass !== null && text.length - start > LONG_TEXT) return inOnePass.find(text, start)
      const found = text.indexOf(literal, start)
      return found < 0 ? -1 : found + literal.length
    },
  }
}

function matchRuns(text: string, first: Run, middle: readonly RunFinder[], last: Run): boolean | null {
  let at = matchAt(text, 0, first)
  if (at < 0) return false
  for (const { find } of middle) {
    const end = find(text, at)
    if (end === null) return null
    if (end < 0) return false
    at = end
  }
  const start = startOfLast(text, last)
  return start >= at && matchAt(text, start, last) === text.length
}

/** End of the run when it stands at `start`; −1 when it does not. */
function matchAt(text: string, start: number, { literal, units }: Run): number {
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

/** Where a run as long as this one begins when it ends with the text; −1 when the text is shorter. */
function startOfLast(text: string, { literal, units }: Run): number {
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
