/**
 * Sets, between stages 6 and 7. Whom the changes of a transaction may concern: by the values of its images, and by the keys of the sets
 * that conditions ask.
 */
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import { createFilterIndex, type FilterIndex, type KeysOf } from '../bus/filter/filter-index.ts'
import type { LiveKeys } from '../bus/filter/key-path.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange } from '../changes/change.ts'
import type { StreamTransaction } from './rows-at.ts'

/** Of more changes, and of more than there are of them, it is not looked whom each concerns: all take them. */
const LOOKED_UP_MAX = 1_000
/** Nor where this many have been found of it, over and over again. */
const FOUND_MAX = 20_000

/** Those who wait for changes, by model. */
export class ConcernedIndex<S> {
  readonly #unsettled: ReadonlySet<LiveKeys>
  readonly #byModel = new Map<string, FilterIndex<S>>()

  /** @param unsettled keys that are not known at the time */
  constructor(unsettled: ReadonlySet<LiveKeys>) {
    this.#unsettled = unsettled
  }

  /** @param filter of the changes of the model; null where each may concern it */
  add(subscriber: S, model: ModelSpec, filter: ChangeFilter | null, keysOf: KeysOf): void {
    const index = this.#byModel.get(model.name) ?? createFilterIndex<S>(model, this.#unsettled)
    this.#byModel.set(model.name, index)
    index.add(subscriber, filter, keysOf)
  }

  remove(subscriber: S, model: string): void {
    const index = this.#byModel.get(model)
    index?.remove(subscriber)
    if (index?.count === 0) this.#byModel.delete(model)
  }

  concernedBy(transaction: StreamTransaction): Set<S> {
    const concerned = new Set<S>()
    for (const [model, index] of this.#byModel) {
      if (transaction.models?.has(model) === false) continue
      addConcerned(concerned, index, transaction.changesOf(model))
    }
    return concerned
  }
}

function addConcerned<S>(concerned: Set<S>, index: FilterIndex<S>, changes: Iterable<AnyChange>): void {
  const others = concerned.size
  const { count: subscribers } = index
  const most = Math.max(LOOKED_UP_MAX, subscribers)
  let count = 0
  let foundCount = 0
  for (const change of changes) {
    if (count === 0) addAll(concerned, index.scanned())
    count += 1
    const isWhole = change.action === 'INSERT' || change.action === 'TRUNCATE' || change.old !== null
    const isForAll = count > most || foundCount > FOUND_MAX || !isWhole
    const those = isForAll ? index.all() : index.found(change)
    foundCount += those.length
    addAll(concerned, those)
    if (isForAll || concerned.size - others === subscribers) return
  }
}

function addAll<S>(set: Set<S>, items: readonly S[]): void {
  for (const item of items) set.add(item)
}
