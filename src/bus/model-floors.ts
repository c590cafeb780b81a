/**
 * Stage 6, bus. Where each model's changes are in the log: in which parts, and after which position nothing of the model
 * has been trimmed. A model that nobody writes to keeps its floor while others' changes come and go.
 */
import type { ChangePosition } from '../changes/change.ts'

/** Where one part has changes of one model. */
export interface ModelSpan {
  readonly model: string
  /** Offset of the first of them in the part. */
  readonly from: number
  /** Offset past the last of them; those between may be other models'. */
  to: number
  /** Index in the transaction of the last of them. */
  lastIndex: number
}

/** Sequence numbers of parts in ascending order, the oldest of which go. */
class SequenceList {
  #items: number[] = []
  #head = 0

  push(sequence: number): void {
    this.#items.push(sequence)
  }

  shift(): void {
    this.#head += 1
    if (this.#head > 256 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  /** The first that is not below `sequence`; null where there is none. */
  firstFrom(sequence: number): number | null {
    let low = this.#head
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#items[middle] as number) < sequence) low = middle + 1
      else high = middle
    }
    return this.#items[low] ?? null
  }
}

/** The index of a log by model. */
export class ModelFloors {
  readonly #parts = new Map<string, SequenceList>()
  readonly #floors = new Map<string, ChangePosition>()
  readonly #lasts = new Map<string, ChangePosition>()

  /** A part with these spans was appended. */
  add(sequence: number, commitLsn: ChangePosition['commitLsn'], spans: readonly ModelSpan[]): void {
    for (const { model, lastIndex } of spans) {
      this.#lasts.set(model, { commitLsn, index: lastIndex })
      const list = this.#parts.get(model) ?? new SequenceList()
      this.#parts.set(model, list)
      list.push(sequence)
    }
  }

  /** The oldest part goes. */
  trim(commitLsn: ChangePosition['commitLsn'], spans: readonly ModelSpan[]): void {
    for (const { model, lastIndex } of spans) {
      this.#parts.get(model)?.shift()
      this.#floors.set(model, { commitLsn, index: lastIndex })
    }
  }

  /** Position of the last change of the model, here or trimmed; null when none came. */
  lastOf(model: string): ChangePosition | null {
    return this.#lasts.get(model) ?? null
  }

  /** Position of the last change of the model that was trimmed; null when none was. */
  floorOf(model: string): ChangePosition | null {
    return this.#floors.get(model) ?? null
  }

  /** Sequence number of the first part from `sequence` on that has changes of the model; null where there is none. */
  seek(model: string, sequence: number): number | null {
    return this.#parts.get(model)?.firstFrom(sequence) ?? null
  }
}
