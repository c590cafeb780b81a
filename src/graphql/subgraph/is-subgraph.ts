/** Stage 7, graphql. What `subgraph` of the config may be. */
import { isGraphqlName } from '../../catalog/graphql-name.ts'
import { hasMembers } from '../../member-of.ts'
import type { Subgraph } from './subgraph-options.ts'

export type { Subgraph }

/** Whether it says what it has to. Names that begin with `_` are those of Federation. */
export function isSubgraph(value: unknown): value is boolean | Subgraph {
  if (!hasMembers(value)) return typeof value === 'boolean' || value === 'rows' || value === 'keys'
  const { entities = 'rows', changeCursor = 'changeCursor', ...others } = value
  const isName =
    typeof changeCursor === 'string' && isGraphqlName(changeCursor) && !changeCursor.startsWith('_')
  return isName && (entities === 'rows' || entities === 'keys') && Object.keys(others).length === 0
}
