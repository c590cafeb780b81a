/**
 * Stage 6, bus. How values of one type are compared: what PostgreSQL takes for the same value, and which is the
 * greater. Each type maps a row's values and a filter's onto one normal form, and that onto a key, so that an
 * equality is a look-up.
 */
import type { ScalarOperator } from './operators.ts'

/** Equal keys mean equal values, within one domain. */
export type ValueKey = string | number | bigint | boolean

/** Text a pattern is matched against. */
export interface PatternText {
  /** For LIKE. */
  readonly plain: (value: string) => string
  /** For ILIKE; null where PostgreSQL has none for the type. */
  readonly insensitive: ((value: string) => string) | null
}

/** One way to compare. */
export interface ValueDomain<Normal = unknown> {
  /** Distinguishes domains of one field. */
  readonly name: string
  readonly operators: readonly ScalarOperator[]
  /** What a filter's value has to be, in words. */
  readonly wanted: string
  /** A filter's value in normal form; undefined when it is none of this type. */
  parse(input: unknown): Normal | undefined
  /** A row's value in normal form; undefined where the row does not hold the value itself. */
  normalize(value: unknown): Normal | undefined
  keyOf(normal: Normal): ValueKey
  /** Whether the two of a row's value are worth keeping: they take time that grows with the value. */
  readonly isCostly?: boolean
  /** Negative, zero or positive: a row's value against a filter's, or two of a row's. */
  compare(a: Normal, b: Normal): number
  /** Makes of a filter's value what it is compared as, once a row is there: before, it has no key to be looked up by. */
  roundLate?(given: Normal): Normal
  /**
   * What of it PostgreSQL may judge otherwise: its order, or equality as well. By the collation of a column, which is not known here, or by digits
   * that a row does not show. @default nothing
   */
  readonly mayDiffer?: 'order' | 'all' | undefined
  /** How text is matched against patterns; absent for what is no text. */
  readonly pattern?: PatternText
  /** The domain under `mode: insensitive`; absent where PostgreSQL has none for the type. */
  readonly insensitive?: ValueDomain<Normal>
}

/** Key of a row's value; undefined where the row does not hold the value itself. */
export function rowKeyOf(domain: ValueDomain, value: unknown): ValueKey | undefined {
  const normal = domain.normalize(value)
  return normal === undefined ? undefined : domain.keyOf(normal)
}
