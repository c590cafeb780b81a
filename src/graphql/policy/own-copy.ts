/**
 * Stage 7, graphql. Copies of what Prisma Client has read. Rows that are read once for many belong to each of them: a
 * resolver of the application that masks or adds in place must not do so for the others.
 */

/** Copies, down to the last value. */
export function ownCopy(value: unknown): unknown {
  if (!isTree(value)) return leafCopy(value)
  if (Array.isArray(value)) return value.map(ownCopy)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, ownCopy(member)]))
}

/** Of what has no values in it; a Decimal stays, since nobody can change it. */
export function leafCopy(value: unknown): unknown {
  if (value instanceof Date) return new Date(value)
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

/** Whether there are values in it to be copied. */
export function isTree(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
