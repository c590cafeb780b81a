/** What was committed, as the writer knows it: every change has a number of its own, which its row carries. */

/** Models that the suite writes to, and where their rows carry the number. */
export const CHAOS_MODELS = {
  Tag: { table: '"Tag"', column: 'name' },
  Team: { table: '"Team"', column: 'name' },
  Post: { table: '"Post"', column: 'title' },
} as const

/** A model of the suite. */
export type ChaosModel = keyof typeof CHAOS_MODELS

/** Their names. */
export const CHAOS_MODEL_NAMES = Object.keys(CHAOS_MODELS) as ChaosModel[]

/** One change: the number its row carried before, and the one it carries after. */
export interface LedgerChange {
  readonly model: ChaosModel
  /** Null for an INSERT. */
  readonly before: number | null
  /** Null for a DELETE. */
  readonly after: number | null
}

/** One transaction that committed. */
export interface LedgerTransaction {
  readonly id: number
  /** Which writer; transactions of one lane committed in the order of their ids. */
  readonly lane: number
  readonly changes: readonly LedgerChange[]
}

/** A name of a change that no other change has. */
export function formatToken(before: number | null, after: number | null): string {
  return `${before ?? ''}>${after ?? ''}`
}

/** The writer's memory. */
export class Ledger {
  readonly #transactions: LedgerTransaction[] = []
  readonly #rows = new Map<ChaosModel, Set<number>>(CHAOS_MODEL_NAMES.map((model) => [model, new Set()]))
  #numbers = 0
  #transactionIds = 0
  rolledBack = 0
  /** Commits whose answer was lost, and what the ledger table said of them. */
  doubtfulCommitted = 0
  doubtfulRolledBack = 0
  /** Tokens of what an old primary committed after another one had taken over: it exists nowhere. */
  readonly strays = new Set<string>()

  /** A number that was never used. */
  nextNumber(): number {
    this.#numbers += 1
    return this.#numbers
  }

  /** As many numbers in a row; returns the first. */
  nextNumbers(count: number): number {
    const first = this.#numbers + 1
    this.#numbers += count
    return first
  }

  nextTransactionId(): number {
    this.#transactionIds += 1
    return this.#transactionIds
  }

  /** A transaction is known to have committed. */
  commit(transaction: LedgerTransaction): void {
    this.#transactions.push(transaction)
    for (const { model, before, after } of transaction.changes) {
      const rows = this.rowsOf(model) as Set<number>
      if (before !== null) rows.delete(before)
      if (after !== null) rows.add(after)
    }
  }

  get transactions(): readonly LedgerTransaction[] {
    return this.#transactions
  }

  /** The numbers that the rows of a model carry now. */
  rowsOf(model: ChaosModel): ReadonlySet<number> {
    const rows = this.#rows.get(model)
    if (rows === undefined) throw new Error(`There is no model ${model}.`)
    return rows
  }

  get changeCount(): number {
    return this.#transactions.reduce((sum, { changes }) => sum + changes.length, 0)
  }
}
