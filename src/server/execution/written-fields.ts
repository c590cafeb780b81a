/**
 * Stage 8, server. How many fields an operation writes. One that is written again and again is one in the answer, and whoever plans
 * what is read (Pothos) follows each of them.
 */
import { type DocumentNode, type FieldNode, Kind, type SelectionSetNode } from 'graphql'
import { walkSelection } from '../../graphql/selection-walk.ts'
import { fragmentsOf } from './collect-fields.ts'

/** Of the operation that writes most. In one selection each fragment counts once, and in each selection again. */
export function writtenFields(document: DocumentNode): number {
  const fragments = fragmentsOf(document)
  const known = new Map<SelectionSetNode, number>()
  const countOf = (set: SelectionSetNode): number => {
    const before = known.get(set)
    if (before !== undefined) return before
    // Within itself: such a circle is refused for that.
    known.set(set, 0)
    let count = 0
    const onField = ({ selectionSet }: FieldNode): void => {
      count += 1 + (selectionSet === undefined ? 0 : countOf(selectionSet))
    }
    walkSelection({ fragments, onField, entered: new Set() }, set)
    known.set(set, count)
    return count
  }
  return document.definitions.reduce(
    (most, each) =>
      each.kind === Kind.OPERATION_DEFINITION ? Math.max(most, countOf(each.selectionSet)) : most,
    0,
  )
}
