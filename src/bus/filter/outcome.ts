/**
 * Stage 6, bus. What a condition says of a row: true, false or SQL's null, and "one of these" where a value it
 * needs was not sent. An outcome is the set of what is possible, as bits, so that a condition whose other parts
 * decide the matter is decided all the same.
 */

/** A non-empty set of TRUE, FALSE and NULL. */
export type Outcome = number

export const TRUE: Outcome = 1
export const FALSE: Outcome = 2
/** SQL's null: neither the condition nor its negation holds. */
export const NULL: Outcome = 4
/** The value is not known: any of the three. */
export const UNKNOWN: Outcome = 7

const NOT_FALSE = TRUE | NULL

/** The outcome of one certain answer. */
export function outcomeOf(isTrue: boolean): Outcome {
  return isTrue ? TRUE : FALSE
}

/** SQL's AND, for every combination of what is possible. */
export function andOutcomes(a: Outcome, b: Outcome): Outcome {
  const canBeNull = ((a & NULL) !== 0 && (b & NOT_FALSE) !== 0) || ((b & NULL) !== 0 && (a & NOT_FALSE) !== 0)
  return (a & b & TRUE) | ((a | b) & FALSE) | (canBeNull ? NULL : 0)
}

/** SQL's NOT. */
export function notOutcome(a: Outcome): Outcome {
  return (a & NULL) | ((a & TRUE) << 1) | ((a & FALSE) >> 1)
}

/** SQL's OR. */
export function orOutcomes(a: Outcome, b: Outcome): Outcome {
  return notOutcome(andOutcomes(notOutcome(a), notOutcome(b)))
}

/** True, false or null as SQL knows them; undefined where it depends on what was not sent. */
export function valueOfOutcome(outcome: Outcome): boolean | null | undefined {
  if (outcome === TRUE) return true
  if (outcome === FALSE) return false
  return outcome === NULL ? null : undefined
}
