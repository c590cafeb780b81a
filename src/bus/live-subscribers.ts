/** Stage 6, bus. The live subscriptions of each model, found by what they ask for. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange } from '../changes/change.ts'
import { invariant } from '../errors.ts'
import { createFilterIndex, type FilterIndex } from './filter/filter-index.ts'
import type { Subscriber } from './subscriber.ts'

/** Those of one model. */
interface ModelSubscribers {
  /** They want every change. */
  readonly unfiltered: Set<Subscriber>
  /** Made with the first one that has a filter. */
  index: FilterIndex<Subscriber> | null
}

/** All live subscriptions. */
export class LiveSubscribers {
  readonly #models: Readonly<Record<string, ModelSpec>>
  readonly #byModel = new Map<string, ModelSubscribers>()

  /** `models` by name: those that filters may be about. */
  constructor(models: Readonly<Record<string, ModelSpec>>) {
    this.#models = models
  }

  add(subscriber: Subscriber): void {
    const known = this.#byModel.get(subscriber.model) ?? { unfiltered: new Set(), index: null }
    this.#byModel.set(subscriber.model, known)
    if (subscriber.filter === null) {
      known.unfiltered.add(subscriber)
      return
    }
    known.index ??= createFilterIndex(this.#modelOf(subscriber.model))
    known.index.add(subscriber, subscriber.filter)
  }

  remove(subscriber: Subscriber): void {
    const known = this.#byModel.get(subscriber.model)
    if (known === undefined) return
    known.unfiltered.delete(subscriber)
    known.index?.remove(subscriber)
    if (known.unfiltered.size === 0 && (known.index?.size.subscribers ?? 0) === 0)
      this.#byModel.delete(subscriber.model)
  }

  /** Whether anybody listens to the model at all; nothing is decoded where nobody does. */
  has(model: string): boolean {
    return this.#byModel.has(model)
  }

  /** Calls `visit` for each subscription that the change may concern. */
  forEachCandidate(change: AnyChange, visit: (subscriber: Subscriber) => void): void {
    const known = this.#byModel.get(change.model)
    if (known === undefined) return
    for (const subscriber of known.unfiltered) visit(subscriber)
    if (known.index !== null) for (const subscriber of known.index.candidates(change)) visit(subscriber)
  }

  #modelOf(name: string): ModelSpec {
    const model = this.#models[name]
    invariant(model !== undefined, `The bus was not told of model ${name}, which a filter is about.`)
    return model
  }
}
