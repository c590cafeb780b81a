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

/** Who has asked for rows. */
interface Asker {
  resolve(rows: unknown): void
  reject(error: unknown): void
}

/** Gives the rows to the first who has asked for them, and to each of the others a copy; resolves when it has. */
export function giveEach<A extends Asker>(
  [first, ...others]: readonly A[],
  rows: Promise<unknown>,
  readAgain: (asker: A) => Promise<unknown>,
): Promise<void> {
  if (first === undefined) return Promise.resolve()
  const giveAll = (settled: unknown) => {
    // All at once, before anybody has touched the rows.
    for (const other of others) {
      try {
        other.resolve(ownCopy(settled))
      } catch {
        // Some values are computed when they are read, or nested too deeply.
        readAgain(other).then(
          (own) => other.resolve(own),
          (error: unknown) => other.reject(error),
        )
      }
    }
    first.resolve(settled)
  }
  return rows.then(giveAll, (error: unknown) => {
    for (const asker of [first, ...others]) asker.reject(error)
  })
}
