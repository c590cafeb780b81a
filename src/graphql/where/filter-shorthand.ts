/** Stage 7, graphql. What to write instead of Prisma's shorthand, `{ name: "x" }`, which GraphQL's types cannot have. */

/** What stands around the name of an input type where graphql-js was given something else than an object. */
const REFUSALS = [
  ['Expected value of type "', '", found '],
  ['Expected type "', '" to be an object'],
] as const

/** The hint for an error of graphql-js about a value in the place of a field's filter; null for any other error. */
export function shorthandHint(message: string): string | null {
  const isFilter = REFUSALS.some(([before, after]) => {
    const start = message.lastIndexOf(before)
    const end = start < 0 ? -1 : message.indexOf(after, start)
    return end >= 0 && /Filter_*$/.test(message.slice(Math.max(start, end - FILTER_NAME_END), end))
  })
  return isFilter ? 'Write `{ equals: … }` for a value, and `{ not: { equals: … } }` for any other.' : null
}

/** Long enough for the end of a type's name. */
const FILTER_NAME_END = 32
