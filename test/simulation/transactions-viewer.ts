/** A client that has whole transactions of all models: each that was committed and published, whole, in order, once. */
import { parseCursor } from '../../src/changes/cursor.ts'
import type { AnyTransaction } from '../../src/rowcast-transactions.ts'
import type { Database } from './database.ts'
import { FoldingClient } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'

/** The viewer. */
export class TransactionsViewer extends FoldingClient<AnyTransaction> {
  /** What came, as text. */
  #has: string[] = []
  /** It has all behind it. */
  #sinceLsn = 0n
  #within: bigint | null = null

  protected async open(
    face: ReaderFace,
    isCurrent: () => boolean,
  ): Promise<AsyncIterableIterator<AnyTransaction>> {
    const known = this.cursor
    const after = known ?? (await face.changeCursor())
    if (known === null && isCurrent()) {
      this.cursor = after
      this.#sinceLsn = parseCursor(after).position.commitLsn
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
  }

  protected differenceAt({ ledger }: Database, lsn: bigint): string | null {
    const wanted = ledger.flatMap(({ commitLsn, model, action, new: row, old, isPublished }) =>
      isPublished && commitLsn > this.#sinceLsn && commitLsn <= lsn
        ? textOf({ commitLsn, model, action, row: row ?? old })
        : [],
    )
    const at = Array.from({ length: Math.max(wanted.length, this.#has.length) }).findIndex(
      (_, index) => wanted[index] !== this.#has[index],
    )
    return at < 0 ? null : `its change ${at} is ${this.#has[at]} and not ${wanted[at]}`
  }
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
