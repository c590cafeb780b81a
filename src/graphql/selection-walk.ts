/** Stage 7, graphql. The fields of a selection, through its fragments. */
import { type FieldNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql'

/** A walk, whose state outlasts one selection. */
export interface SelectionWalk {
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>
  /** Where a fragment stands that names this type, or none. @default where it was spread */
  readonly enter?: (where: string, condition: string | undefined) => string
  readonly onField: (field: FieldNode, where: string) => void
  /** Fragments, each with where it stood: it is entered there once. Spreads of spreads multiply, and show nothing else. */
  readonly entered: Set<string>
}

/** Calls `onField` for each field of the set, and not for those below it. `where` it stands is whatever the walk says. */
export function walkSelection(walk: SelectionWalk, set: SelectionSetNode | undefined, where = ''): void {
  for (const selection of set?.selections ?? []) {
    if (selection.kind === Kind.FIELD) {
      walk.onField(selection, where)
      continue
    }
    const name = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : null
    const fragment =
      selection.kind === Kind.FRAGMENT_SPREAD ? walk.fragments[selection.name.value] : selection
    const inner = walk.enter?.(where, fragment?.typeCondition?.name.value) ?? where
    if (name !== null && walk.entered.has(`${inner} ${name}`)) continue
    if (name !== null) walk.entered.add(`${inner} ${name}`)
    walkSelection(walk, fragment?.selectionSet, inner)
  }
}

/** The fields selected directly under the fields given. */
export function fieldsUnder(
  { fragments }: Pick<SelectionWalk, 'fragments'>,
  nodes: readonly FieldNode[],
): readonly FieldNode[] {
  const fields: FieldNode[] = []
  const walk: SelectionWalk = { fragments, onField: (field) => fields.push(field), entered: new Set() }
  for (const node of nodes) walkSelection(walk, node.selectionSet)
  return fields
}
