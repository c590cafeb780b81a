/** What one subscriber has seen so far, what it adds up to, and a way to wait for more. */
import type { ChaosModel } from './ledger.ts'
import type { Resync, SeenChange } from './record.ts'
import { abridge, COLUMNS, Fold, markOf, type RowImage } from './rows.ts'

/** A row as the subscriptions of the suite select it. */
type WireRow = Readonly<Record<string, string | number | null>>

/** A change as the subscriptions of the suite select it. */
export interface WireChange {
  readonly action: string
  readonly cursor: string
  readonly transaction: { readonly xid: string; readonly last: boolean }
  readonly old: WireRow | null
  readonly new: WireRow | null
}

/** Grows as changes come. */
export class SeenLog {
  readonly model: ChaosModel
  /** What it selects. */
  readonly columns: readonly string[]
  /** Where it began. */
  readonly began: string
  readonly changes: SeenChange[] = []
  readonly resyncs: Resync[] = []
  readonly fold = new Fold()
  /** How often a subscription was begun. */
  attempts = 0
  #cursor: string
  readonly #numbers = new Set<number>()
  readonly #checks = new Set<() => void>()

  /** @param after where it begins */
  constructor(model: ChaosModel, after: string, isLight = false) {
    this.model = model
    this.columns = COLUMNS[model].filter((column) => !(isLight && column === 'body'))
    this.began = after
    this.#cursor = after
  }

  /** The subscription. Its one field is `change`. */
  get query(): string {
    const columns = this.columns.join(' ')
    // `id` of an old row would be that of an object that clients cache.
    const old = columns.replace(/^id/, 'id: rowId')
    return `subscription ($after: Cursor) {
      change: ${this.model.toLowerCase()}Changed(after: $after) {
        action cursor transaction { xid last } old { ${old} } new { ${columns} }
      }
    }`
  }

  /** Where it stands. */
  get cursor(): string {
    return this.#cursor
  }

  add({ action, cursor, transaction, ...rows }: WireChange): void {
    const { model } = this
    const images = { old: toImage(rows.old), new: toImage(rows.new) }
    const before = images.old === null ? null : markOf(model, images.old)
    const after = images.new === null ? null : markOf(model, images.new)
    const { xid, last: isLast } = transaction
    this.changes.push({ action, before, after, cursor, xid, isLast, ...images })
    this.fold.apply(images.old, images.new)
    this.#cursor = cursor
    if (after !== null) this.#numbers.add(after)
    this.#check()
  }

  /** It was asked to query again, took this cursor, and then found these rows. */
  noteResync(reason: string, after: string, rows: readonly RowImage[]): void {
    this.resyncs.push({ reason, before: this.#cursor, after })
    this.#cursor = after
    this.fold.reset(rows)
    for (const row of rows) this.#numbers.add(markOf(this.model, row))
    this.#check()
  }

  /** Resolves once it has, or had, the row that this number was given to; rejects after the time. */
  whenSeen(number: number, timeoutMs: number): Promise<void> {
    return this.#when(() => this.#numbers.has(number), timeoutMs, `number ${number}`)
  }

  /** Resolves once it was notified so often to query again. */
  whenResynced(count: number, timeoutMs: number): Promise<void> {
    return this.#when(() => this.resyncs.length >= count, timeoutMs, `resync ${count}`)
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

function toImage(row: WireRow | null): RowImage | null {
  if (row === null) return null
  const texts = Object.entries(row).map(([name, value]) => [
    name,
    value === null ? null : abridge(String(value)),
  ])
  return Object.fromEntries(texts)
}
