/**
 * Stage 5, source. Models of other versions of the program, which share the slot and of which barriers say what is published: ours carry it on.
 * Any role can write a barrier, with any names: what is carried of them is bounded, and so is what each barrier writes to the WAL. Pure.
 */
import type { PublishedModel } from './published-tables.ts'

/** Of all of them together, as text; a table is some hundred characters, a partition thirty. */
const TEXT_MAX = 512 * 1024

/** One per ledger. */
export class ForeignModels {
  readonly #own = new Set<string>()
  readonly #lengths = new Map<string, number>()
  #total = 0

  /** Models that this process has. */
  own(models: Iterable<string>): void {
    for (const model of models) this.#own.add(model)
  }

  /** Whether what a barrier says of the model is to be carried on; that of our own always is. */
  admits(model: string, tables: PublishedModel): boolean {
    if (this.#own.has(model)) return true
    const length = JSON.stringify([model, tables]).length
    const total = this.#total - (this.#lengths.get(model) ?? 0) + length
    if (total > TEXT_MAX) return false
    this.#lengths.set(model, length)
    this.#total = total
    return true
  }
}
