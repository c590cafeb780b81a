/** Stage 6, bus. What of a filter is structure and what a value: plain objects are structure. */

/** A plain object of a filter. */
export type FilterObject = Readonly<Record<string, unknown>>

/** Whether a value is `{ … }`: not null, no list, of no class. */
export function isFilterObject(value: unknown): value is FilterObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
