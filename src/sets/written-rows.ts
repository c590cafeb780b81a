/** Sets, between stages 6 and 7. Which rows a transaction has written so far: their images after the first write are its own. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import { invariant } from '../errors.ts'

/** What distinguishes a row from all others of its model. */
export function rowIdOf(model: ModelSpec, row: AnyRow): string {
  const id = canonicalText(model.primaryKey.map((name) => row[name]))
  invariant(
    id !== null && model.primaryKey.length > 0,
    `Rows of ${model.name} have no key that can be compared.`,
  )
  return id
}

/** The rows of one model that one transaction wrote. */
export class WrittenRows {
  readonly #model: ModelSpec
  readonly #ids = new Set<string>()
  /** The only change so far: most transactions write one row of a model, and nobody asks which. */
  #single: AnyChange | null = null
  #isFirst = true

  constructor(model: ModelSpec) {
    this.#model = model
  }

  /** Takes the next change. Returns whether the row before it is from before the transaction. */
  note(change: AnyChange): boolean {
    if (this.#isFirst) {
      this.#isFirst = false
      this.#single = change
      return change.old !== null
    }
    this.#addSingle()
    return this.#add(change)
  }

  has(row: AnyRow): boolean {
    this.#addSingle()
    return this.#ids.has(rowIdOf(this.#model, row))
  }

  #addSingle(): void {
    if (this.#single !== null) this.#add(this.#single)
    this.#single = null
  }

  #add({ old, new: after }: AnyChange): boolean {
    const before = old === null ? null : rowIdOf(this.#model, old)
    const isFirst = before !== null && !this.#ids.has(before)
    if (before !== null) this.#ids.add(before)
    if (after !== null) this.#ids.add(rowIdOf(this.#model, after))
    return isFirst
  }
}
