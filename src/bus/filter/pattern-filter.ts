/** Stage 6, bus. The operators that match text against LIKE's patterns, of text fields and within Json. */
import { badFilter } from './bad-filter.ts'
import {
  compileLike,
  type LikePattern,
  PATTERN_LENGTH_MAX,
  type PatternFault,
  RUN_LENGTH_MAX,
} from './like-pattern.ts'
import { type Outcome, outcomeOf, UNKNOWN } from './outcome.ts'

/** Cost of a pattern whose every character is looked for as it is, in terms that compare a value. */
const PATTERN_COST = 8

const FAULTS: Readonly<Record<PatternFault, readonly [wrong: string, hint: string]>> = {
  'ends-escaped': ['the pattern ends with the escape character.', 'Write a backslash as `\\\\`.'],
  'too-long': [`the pattern has more than ${PATTERN_LENGTH_MAX} characters.`, 'Look for less.'],
  'run-too-long': [
    `more than ${RUN_LENGTH_MAX} characters are looked for in one piece.`,
    'Look for less, or for what the text begins or ends with.',
  ],
}

/** A pattern that is ready to be matched. */
export interface PatternTest {
  readonly test: (text: string) => Outcome
  readonly cost: number
  /** True where any text matches: no letters were asked for. */
  readonly ofAny: true | undefined
}

/** Compiles a pattern. @throws BAD_FILTER where it is too long, or ends with the escape character */
export function patternTest(pattern: string, path: string): PatternTest {
  const compiled = compileLike(pattern)
  if (typeof compiled === 'string') throw badFilter(path, ...FAULTS[compiled])
  return {
    test: (text) => outcomeOfMatch(compiled, text),
    cost: PATTERN_COST * compiled.weight,
    ofAny: /^%+$/.test(pattern) ? true : undefined,
  }
}

function outcomeOfMatch({ test }: LikePattern, text: string): Outcome {
  const isMatch = test(text)
  return isMatch === null ? UNKNOWN : outcomeOf(isMatch)
}
