/**
 * Stage 8, server. How many fields an operation writes. One that is written again and again is one in the answer, and whoever plans
 * what is read (Pothos) follows each of them.
 */
import { type DocumentNode, Kind, type SelectionSetNode } from 'graphql'
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
    const spread = new Set<string>()
    const countIn = ({ selections }: SelectionSetNode): number => {
      let count = 0
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD)
          count += 1 + (selection.selectionSet === undefined ? 0 : countOf(selection.selectionSet))
        else if (selection.kind === Kind.INLINE_FRAGMENT) count += countIn(selection.selectionSet)
        else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value)
          const fragment = fragments[selection.name.value]
          if (fragment !== undefined) count += countIn(fragment.selectionSet)
        }
      }
      return count
    }
    const count = countIn(set)
    known.set(set, count)
    return count
  }
  return document.definitions.reduce(
    (most, each) =>
      each.kind === Kind.OPERATION_DEFINITION ? Math.max(most, countOf(each.selectionSet)) : most,
    0,
  )
}
