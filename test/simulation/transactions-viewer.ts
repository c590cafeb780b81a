/** A client that has whole transactions of all models: each that was committed and published, whole, in order, once. */
import { parseCursor } from '../../src/changes/cursor.ts'
import type { AnyTransaction } from '../../src/rowcast-transactions.ts'
import type { Database, LedgerEntry } from './database.ts'
import { FoldingClient } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'

/** The viewer. */
export class TransactionsViewer extends FoldingClient<AnyTransaction> {
  /** What came, as text. */
  #has: string[] = []
  /** It has all behind it. */
  #sinceLsn = 0n
  #within: bigint | null = null
  /** What it is to have, as far as the database has committed. */
  #wanted: Wanted | null = null

  protected async open(
    face: ReaderFace,
    isCurrent: () => boolean,
  ): Promise<AsyncIterableIterator<AnyTransaction>> {
    const known = this.cursor
    const after = known ?? (await face.changeCursor())
    if (known === null && isCurrent()) {
      this.cursor = after
      this.#sinceLsn = parseCursor(after).position.commitLsn
      this.#wanted = null
      this.isReady = true
    }
    const of = Object.fromEntries(Object.keys(this.parts.catalog.models).map((model) => [model, {}]))
    return face.transactions(of, { after }) as AsyncIterableIterator<AnyTransaction>
  }

  protected receive({ transaction, changes, cursor, isLast }: AnyTransaction): void {
    const { commitLsn } = transaction
    if (commitLsn !== this.#within) {
      this.check(cursor, commitLsn - 1n)
      this.#within = commitLsn
    }
    for (const { model, action, new: row, old } of changes)
      this.#has.push(textOf({ commitLsn, model, action, row: row ?? old }))
    this.cursor = cursor
    if (isLast) this.check(cursor)
  }

  protected forget(): void {
    this.#has = []
    this.#within = null
    this.#wanted = null
  }

  protected differenceAt(database: Database, lsn: bigint): string | null {
    const { changes, agreed } = this.#compare(database)
    let count = changes.length
    while (count > 0 && (changes[count - 1]?.lsn ?? 0n) > lsn) count -= 1
    const at = Math.min(agreed, count)
    if (at === count && this.#has.length === count) return null
    return `its change ${at} is ${this.#has[at]} and not ${at < count ? changes[at]?.text : undefined}`
  }

  /** Both only grow: what was the same stays so. */
  #compare(database: Database): Wanted {
    if (this.#wanted?.database !== database)
      this.#wanted = { database, changes: [], ledgerLength: 0, agreed: 0 }
    const wanted = this.#wanted
    for (; wanted.ledgerLength < database.ledger.length; wanted.ledgerLength += 1) {
      const {
        commitLsn,
        model,
        action,
        new: row,
        old,
        isPublished,
      } = database.ledger[wanted.ledgerLength] as LedgerEntry
      if (isPublished && commitLsn > this.#sinceLsn)
        wanted.changes.push({ lsn: commitLsn, text: textOf({ commitLsn, model, action, row: row ?? old }) })
    }
    while (
      wanted.agreed < this.#has.length &&
      wanted.changes[wanted.agreed]?.text === this.#has[wanted.agreed]
    )
      wanted.agreed += 1
    return wanted
  }
}

/** What there is of one database, and how much of it the viewer has had alike. */
interface Wanted {
  readonly database: Database
  readonly changes: { readonly lsn: bigint; readonly text: string }[]
  ledgerLength: number
  agreed: number
}

interface ChangeText {
  readonly commitLsn: bigint
  readonly model: string
  readonly action: string
  readonly row: Readonly<Record<string, unknown>> | null
}

function textOf({ commitLsn, model, action, row }: ChangeText): string {
  const { id, n, name } = row ?? {}
  return `${commitLsn.toString(16)} ${action} ${model} ${id}:${n}:${name}`
}
