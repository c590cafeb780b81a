/** Beside the spine. What a live list and totals give to the library's users. */
import { ownCopy } from './graphql/policy/own-copy.ts'
import { withoutOmitted } from './rowcast-first-rows.ts'
import type { KeptListEvent, KeptTotalsEvent } from './sets/kept-request.ts'
import type { KeyedRow } from './sets/set-step.ts'

/** As the library's users see it: rows of their own. */
export function givenList(event: KeptListEvent, omitted: ReadonlySet<string>): object {
  const own = ({ row }: KeyedRow) => ownCopy(withoutOmitted(row, omitted))
  const { cursor, transaction } = event
  const { totalCount } = event.shown
  if (event.kind === 'snapshot')
    return { kind: 'snapshot', rows: event.shown.rows.map(own), totalCount, cursor }
  const operations = event.operations.map(({ kind, index, row }) => ({
    ...{ kind, key: ownCopy(row.key), index },
    row: kind === 'REMOVE' ? null : own(row),
  }))
  return { kind: 'patch', operations, totalCount, cursor, transaction }
}

/** The same for totals. */
export function givenTotals({ shown, cursor, transaction }: KeptTotalsEvent): object {
  return { ...(ownCopy(shown) as object), cursor, transaction }
}
