/** Stage 7, graphql. What a field of an object type shows of its row: a column, or a relation. */
import type { GraphQLField } from 'graphql'
import { exposedByPothos, relationOfPothos } from './pothos-internals.ts'

type ShowsColumn = Pick<GraphQLField<unknown, object>, 'name' | 'extensions'>

/** The extension that names the column of a field which has another name. */
export const SHOWN_COLUMN = 'rowcastColumn'

/** The extension that names the relation which a field shows with a resolver of the application's. */
export const SHOWN_RELATION = 'rowcastRelation'

/** The column that a field shows, which can be under another name; its own name where it says nothing. */
export function columnOf({ name, extensions }: ShowsColumn): string {
  const column: unknown = extensions[SHOWN_COLUMN] ?? exposedByPothos(extensions)
  return typeof column === 'string' ? column : name
}

/** The relation that a field reads; null where it reads none. */
export function relationNameOf({ extensions }: Pick<ShowsColumn, 'extensions'>): string | null {
  const { name }: { name?: unknown } = Object(
    relationOfPothos(extensions) ?? {
      name: extensions[SHOWN_RELATION],
    },
  )
  return typeof name === 'string' ? name : null
}
