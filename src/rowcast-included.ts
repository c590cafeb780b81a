/** Beside the spine. What a row hears of the relations that a subscription includes, as the library gives it. */
import { ownCopy } from './graphql/policy/own-copy.ts'
import type { HeardOf } from './sets/included-relation.ts'

/** As the library's users see it. */
export function givenHeard(heard: HeardOf | undefined): object {
  if (heard === undefined) return {}
  const via = heard.via.map(({ relation, action, key }) => ({ relation, action, key: ownCopy(key) }))
  return { via, viaCount: heard.viaCount }
}
