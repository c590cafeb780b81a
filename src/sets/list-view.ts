/** Beside the spine, sets. A live list as it is kept: its first rows in order, and how many there are where that is asked for. */
import type { Delivery } from '../bus/bus.ts'
import type { IncludedRelation } from './included-relation.ts'
import type { KeptView } from './kept-parts.ts'
import { concernedKeys } from './list-relations.ts'
import type { OrderedWindow, StepEffect, WindowRow } from './ordered-window.ts'
import type { ReadRelated } from './read-related.ts'
import { mayConcern, type ReadRelation } from './read-relation.ts'
import type { KeyedRow, SetStep } from './set-step.ts'

/** What is read of a list. */
export interface LoadedList {
  readonly rows: readonly KeyedRow[]
  /** Null where it is not asked for. */
  readonly totalCount: number | null
  /** What was read of related rows; null where none were. */
  readonly related: ReadRelated | null
  readonly bytes: number
}

/** A list as it is shown. */
export interface ShownList {
  readonly rows: readonly WindowRow[]
  readonly totalCount: number | null
}

/** One list. */
export class ListView implements KeptView<LoadedList, ShownList> {
  readonly #window: OrderedWindow
  #totalCount: number | null = null

  constructor(window: OrderedWindow) {
    this.#window = window
  }

  get bytes(): number {
    return this.#window.bytes
  }

  reset({ rows, totalCount, related }: LoadedList, isFollowed: boolean): void {
    this.#window.reset(rows, isFollowed, related)
    this.#totalCount = totalCount
  }

  empty(): void {
    this.#window.empty()
    this.#totalCount = this.#totalCount === null ? null : 0
  }

  apply(step: SetStep): StepEffect {
    const effect = this.#window.apply(step)
    const more = Number(step.after !== null) - Number(step.before !== null)
    if (this.#totalCount === null || more === 0) return effect
    this.#totalCount += more
    return effect === 'none' ? 'changed' : effect
  }

  applyUnsure(step: SetStep): StepEffect {
    if (this.#window.has(step.before)) return this.apply(step)
    const effect = this.#window.applyUnsure(step)
    // It may have been one of those behind.
    const isCounted = this.#totalCount !== null && step.after === null && !this.#window.isComplete
    return isCounted ? 'unknown' : effect
  }

  isConcerned(delivery: Delivery, relations: readonly IncludedRelation[]): boolean {
    return relations.some((each) => this.#window.hasRelated(each, concernedKeys(delivery, each)))
  }

  touch(delivery: Delivery, relations: readonly IncludedRelation[]): boolean {
    const touched = relations.map((each) => this.#window.touch(each, concernedKeys(delivery, each)))
    return touched.includes(true)
  }

  isOutdated(delivery: Delivery, asked: readonly ReadRelation[]): boolean {
    const isOutdated = asked.some((each) => mayConcern(this.#window, delivery, each))
    if (isOutdated) this.#window.noteRelatedMayDiffer()
    return isOutdated
  }

  shown(): ShownList {
    return { rows: this.#window.shown(), totalCount: this.#totalCount }
  }
}
