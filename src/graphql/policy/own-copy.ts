/**
 * Stage 7, graphql. Copies of what Prisma Client has read. Rows that are read once for many belong to each of them: a
 * resolver of the application that masks or adds in place must not do so for the others.
 */

/** Copies, down to the last value; a Decimal stays, since nobody can change it. */
export function ownCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(ownCopy)
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, ownCopy(member)]))
}
