/** What one subscriber has seen so far, and a way to wait for more. */
import type { ChaosModel } from './ledger.ts'
import type { SeenChange } from './verdict.ts'

/** A change as the subscriptions of the suite select it. */
export interface WireChange {
  readonly action: string
  readonly cursor: string
  readonly transaction: { readonly xid: string; readonly last: boolean }
  readonly old: { readonly mark: string } | null
  readonly new: { readonly mark: string } | null
}

const MARK_FIELDS = { Tag: 'name', Team: 'name', Post: 'title' } as const

/** The subscription of a model. Its one field is `change`. */
export function changesQuery(model: ChaosModel): string {
  const row = `{ mark: ${MARK_FIELDS[model]} }`
  const field = `${model.toLowerCase()}Changed`
  return `subscription ($after: Cursor) {
    change: ${field}(after: $after) { action cursor transaction { xid last } old ${row} new ${row} }
  }`
}

/** Grows as changes come. */
export class SeenLog {
  readonly changes: SeenChange[] = []
  /** Why it was told to query again. */
  readonly resyncReasons: string[] = []
  /** How often a subscription was begun. */
  attempts = 0
  readonly #numbers = new Set<number>()
  readonly #checks = new Set<() => void>()

  add({ action, cursor, transaction, old, new: row }: WireChange): void {
    const before = old === null ? null : Number(old.mark)
    const after = row === null ? null : Number(row.mark)
    this.changes.push({ action, before, after, cursor, xid: transaction.xid, isLast: transaction.last })
    if (after !== null) this.#numbers.add(after)
    this.#check()
  }

  noteResync(reason: string): void {
    this.resyncReasons.push(reason)
    this.#check()
  }

  /** Resolves once the change that gave a row this number has come; rejects after the time. */
  whenSeen(number: number, timeoutMs: number): Promise<void> {
    return this.#when(() => this.#numbers.has(number), timeoutMs, `number ${number}`)
  }

  /** Resolves once it was told so often to query again. */
  whenResynced(count: number, timeoutMs: number): Promise<void> {
    return this.#when(() => this.resyncReasons.length >= count, timeoutMs, `resync ${count}`)
  }

  #check(): void {
    for (const check of [...this.#checks]) check()
  }

  #when(isMet: () => boolean, timeoutMs: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer)
        this.#checks.delete(check)
        finish()
      }
      const check = () => {
        if (isMet()) settle(resolve)
      }
      const timer = setTimeout(() => {
        const words = `${what} did not come within ${timeoutMs} ms (${this.changes.length} changes have)`
        settle(() => reject(new Error(words)))
      }, timeoutMs)
      this.#checks.add(check)
      check()
    })
  }
}
