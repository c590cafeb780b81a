/** Stage 3, catalog. Models whose changes cannot, or may not, be delivered at present: by what the stream brings, and by what the catalog says. */
import type { RowcastError } from '../errors.ts'

/** One per registry. */
export class ModelFaults {
  /** By what the stream brings. */
  readonly #drifts = new Map<string, RowcastError>()
  /** By what the catalog says. */
  readonly #holds = new Map<string, RowcastError>()
  readonly #all = new Map<string, RowcastError>()

  /** Both of them; a hold comes first. */
  get all(): ReadonlyMap<string, RowcastError> {
    return this.#all
  }

  get drifts(): ReadonlyMap<string, RowcastError> {
    return this.#drifts
  }

  /** The stream brings rows that cannot be read; null: it brings ones that can. */
  drift(model: string, why: RowcastError | null): void {
    if (why === null) this.#drifts.delete(model)
    else this.#drifts.set(model, why)
    this.#combine(model)
  }

  /** Whatever the stream brings, until `release`. */
  hold(model: string, why: RowcastError): void {
    this.#holds.set(model, why)
    this.#combine(model)
  }

  release(model: string): void {
    this.#holds.delete(model)
    this.#combine(model)
  }

  #combine(model: string): void {
    const fault = this.#holds.get(model) ?? this.#drifts.get(model)
    if (fault === undefined) this.#all.delete(model)
    else this.#all.set(model, fault)
  }
}
