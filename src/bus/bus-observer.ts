/**
 * Stage 6, bus. What can be watched of a bus while it works: for metrics and traces. Observers are called in the middle
 * of it, some of them for each change: they count, and do not wait. What one of them throws is logged, and costs nobody
 * a change.
 */
import type { TransactionPart } from '../changes/change.ts'
import { createGuard, type Guard } from '../guard.ts'
import { silentLogger } from '../logger.ts'

/** Why changes that waited for a subscription never reached it. */
export type DropReason = 'conflated' | 'too_slow'

/** Somebody who watches. */
export interface BusObserver {
  /** A stream begins: the first, or one more after a lost connection. */
  onOpened?(): void
  /** A part is about to be offered to the subscriptions. */
  onPublishing?(part: TransactionPart): void
  /** It has been. */
  onPublished?(part: TransactionPart): void
  /** So many subscriptions of the model were asked whether they want a change. */
  onCandidates?(model: string, count: number): void
  /** Changes may be missing: all subscriptions end. */
  onGap?(): void
  /** All subscriptions end, as another process has the changes; or that is over. */
  onStandAside?(isAside: boolean): void
  /** A subscription begins; the object stands for it until its end. */
  onSubscribed?(model: string, subscription: object): void
  /** Null: whoever had it left, or the bus was closed in order. */
  onSubscriptionEnded?(model: string, error: Error | null, subscription: object): void
  /** So many changes that waited are not delivered. */
  onDropped?(model: string, count: number, why: DropReason): void
}

type GuardedObserver = { readonly [Call in keyof BusObserver]: BusObserver[Call] | undefined }

/** All who watch, as one. */
export class BusObservers implements Required<BusObserver> {
  readonly #all: GuardedObserver[] = []
  readonly #guard: Guard

  constructor(guard: Guard = createGuard(silentLogger)) {
    this.#guard = guard
  }

  add(observer: BusObserver): void {
    this.#all.push(this.#guarded(observer))
  }

  /** The same observer, from which nothing is thrown. */
  #guarded(observer: BusObserver): GuardedObserver {
    const wrap = <Args extends readonly unknown[]>(call: ((...args: Args) => void) | undefined) =>
      call && this.#guard.wrap('watch the bus', call.bind(observer))
    return {
      onOpened: wrap(observer.onOpened),
      onPublishing: wrap(observer.onPublishing),
      onPublished: wrap(observer.onPublished),
      onCandidates: wrap(observer.onCandidates),
      onGap: wrap(observer.onGap),
      onStandAside: wrap(observer.onStandAside),
      onSubscribed: wrap(observer.onSubscribed),
      onSubscriptionEnded: wrap(observer.onSubscriptionEnded),
      onDropped: wrap(observer.onDropped),
    }
  }

  onOpened(): void {
    for (const each of this.#all) each.onOpened?.()
  }

  onPublishing(part: TransactionPart): void {
    for (const each of this.#all) each.onPublishing?.(part)
  }

  onPublished(part: TransactionPart): void {
    for (const each of this.#all) each.onPublished?.(part)
  }

  onCandidates(model: string, count: number): void {
    for (const each of this.#all) each.onCandidates?.(model, count)
  }

  onGap(): void {
    for (const each of this.#all) each.onGap?.()
  }

  onStandAside(isAside: boolean): void {
    for (const each of this.#all) each.onStandAside?.(isAside)
  }

  onSubscribed(model: string, subscription: object): void {
    for (const each of this.#all) each.onSubscribed?.(model, subscription)
  }

  onSubscriptionEnded(model: string, error: Error | null, subscription: object): void {
    for (const each of this.#all) each.onSubscriptionEnded?.(model, error, subscription)
  }

  onDropped(model: string, count: number, why: DropReason): void {
    for (const each of this.#all) each.onDropped?.(model, count, why)
  }
}
