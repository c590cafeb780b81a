/**
 * Stage 3, catalog. What stands in a row for a value that Prisma Client has no JavaScript value for. PostgreSQL
 * holds more than Prisma shows; such a value must not end the stream, nor pass for another one.
 */

/**
 * Why Prisma Client cannot show a value. Where it throws P2023 or garbles:
 * - `null-element`: a NULL inside a list (other than a list of Json);
 * - `multi-dimensional`: an array of arrays, which Prisma's lists are not;
 * - `unknown-label`: an enum label that the Prisma schema does not list;
 * - `unsafe-integer`: an int8 in an Int field, beyond what a JavaScript number holds exactly;
 * - `too-deep`: Json nested more deeply than `JSON_DEPTH_MAX`; Prisma Client returns it, and few programs can use it;
 * - `inexact-number`: a Json of one number alone, with more digits than a JavaScript number holds, whole ones beyond 2^53 apart;
 *   Prisma Client returns it rounded;
 * - `unreadable`: bytes that are not a value of the field's type, as of an extension's type behind a String field.
 *
 * Where it returns an Invalid Date:
 * - `infinite-date`: `infinity` and `-infinity`;
 * - `date-out-of-range`: a year before 1 or after 9999;
 * - `offset-with-seconds`: a timetz whose zone has seconds.
 */
export type UnrepresentableReason =
  | 'null-element'
  | 'multi-dimensional'
  | 'unknown-label'
  | 'unsafe-integer'
  | 'too-deep'
  | 'inexact-number'
  | 'unreadable'
  | 'infinite-date'
  | 'date-out-of-range'
  | 'offset-with-seconds'

/**
 * Stands in a row where Prisma Client would have refused the whole row. Dates are gentler: there the row holds
 * the same Invalid Date that Prisma Client returns, and `explainUnrepresentable` gives what it was.
 */
export class UnrepresentableValue {
  readonly reason: UnrepresentableReason
  /**
   * The nearest JavaScript has: the nested array with its nulls, the label, the bigint, the JSON text, the bytes; for a date,
   * milliseconds since 1970 or ±Infinity. The same whether the value came as text or in binary form.
   */
  readonly value: unknown

  constructor(reason: UnrepresentableReason, value: unknown) {
    this.reason = reason
    this.value = value
  }
}

const explanations = new WeakMap<Date, UnrepresentableValue>()

/** The Invalid Date that Prisma Client returns for a date it cannot parse, with its explanation kept aside. */
export function createInvalidDate(reason: UnrepresentableReason, unixMs: number): Date {
  const date = new Date(Number.NaN)
  explanations.set(date, new UnrepresentableValue(reason, unixMs))
  return date
}

/**
 * Why a value of a row is not the database's: for an `UnrepresentableValue` itself and for an Invalid Date that a
 * row reader made; null for every other value.
 */
export function explainUnrepresentable(value: unknown): UnrepresentableValue | null {
  if (value instanceof UnrepresentableValue) return value
  return value instanceof Date ? (explanations.get(value) ?? null) : null
}
