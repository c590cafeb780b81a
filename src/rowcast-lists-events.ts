/** Beside the spine. What a live list and totals give to the library's users. */
import type { TransactionInfo } from './changes/change.ts'
import { ownCopy } from './graphql/policy/own-copy.ts'
import { withoutOmitted } from './rowcast-first-rows.ts'
import type { ListPatch, ListSnapshot, Totals } from './rowcast-lists-api.ts'
import type { KeptListEvent, KeptTotalsEvent } from './sets/kept-request.ts'
import type { KeyedRow } from './sets/set-step.ts'

/** As the library's users see it: rows of their own, with the types of their model. */
export function givenList<Row, Key, Metadata>(
  event: KeptListEvent,
  omitted: ReadonlySet<string>,
): ListSnapshot<Row, Metadata> | ListPatch<Row, Key, Metadata> {
  const own = ({ row }: KeyedRow) => ownCopy(withoutOmitted(row, omitted)) as Row
  const { cursor } = event
  const transaction = event.transaction as TransactionInfo<Metadata> | null
  // Each has an array of its own, as they have rows.
  const transactions = [...event.transactions] as readonly TransactionInfo<Metadata>[]
  const { totalCount } = event.shown
  if (event.kind === 'snapshot')
    return { kind: 'snapshot', rows: event.shown.rows.map(own), totalCount, cursor, transactions }
  const operations = event.operations.map(({ kind, index, row }) => ({
    ...{ kind, key: ownCopy(row.key) as Key, index },
    row: kind === 'REMOVE' ? null : own(row),
  }))
  return { kind: 'patch', operations, totalCount, cursor, transaction, transactions }
}

/** The same for totals. */
export function givenTotals<
  Row,
  Sum extends keyof Row & string,
  Min extends keyof Row & string,
  Max extends keyof Row & string,
  Metadata,
>({ shown, cursor, transaction }: KeptTotalsEvent): Totals<Row, Sum, Min, Max, Metadata> {
  const own = ownCopy(shown) as Totals<Row, Sum, Min, Max, Metadata>
  return { ...own, cursor, transaction: transaction as TransactionInfo<Metadata> | null }
}
