/** Stage 6, bus. A change on its way to subscriptions: what is offered to all, and what one of them gets of it. */
import type { AnyChange } from '../changes/change.ts'
import { RowChange } from '../changes/row-change.ts'
import type { Delivery } from './bus.ts'
import type { Transition } from './filter/judge-change.ts'
import { Weight } from './holdings.ts'

/** What distinguishes one match of a change from another. */
export interface MatchView {
  readonly transition: Transition | null
  readonly hidesOld: boolean
  readonly hidesNew: boolean
}

/**
 * A delivery; whether it is the last one of its transaction is said in place once it is known. A class: there is one
 * for each change and subscription, and literals are slower to make.
 */
export class Match implements Delivery {
  readonly change: AnyChange
  readonly weight: Weight
  readonly transition: Transition | null
  readonly hidesOld: boolean
  readonly hidesNew: boolean
  isLastOfTransaction = false
  readonly isReplayed: boolean

  /** @param isReplayed whether it is from before its subscription was live */
  constructor({ change, weight }: Offer, { transition, hidesOld, hidesNew }: MatchView, isReplayed: boolean) {
    this.change = change
    this.weight = weight
    this.transition = transition
    this.hidesOld = hidesOld
    this.hidesNew = hidesNew
    this.isReplayed = isReplayed
  }
}

/** A change that is offered to all who may want it, or to all who read the log together. */
export class Offer {
  readonly change: AnyChange
  readonly weight: Weight
  /** Whether no further change of its transaction can follow. */
  readonly endsTransaction: boolean
  /** The first match that was made, and its key; most changes need no more. */
  #key: string | null = null
  #match: Match | null = null
  #more: Map<string, Match> | null = null

  /** @param rowBytes undecoded */
  constructor(change: AnyChange, rowBytes: number, endsTransaction: boolean) {
    this.change = change
    this.weight = new Weight(rowBytes)
    this.endsTransaction = endsTransaction
  }

  /** The delivery that somebody who wants the same got: whether it is the last of its transaction is the same for both. */
  shared(key: string): Match | null {
    return this.#key === key ? this.#match : (this.#more?.get(key) ?? null)
  }

  share(key: string, match: Match): void {
    if (this.#key === null) {
      this.#key = key
      this.#match = match
      return
    }
    this.#more ??= new Map()
    this.#more.set(key, match)
  }
}

/** Whether the delivery is one that its client had missed, and asked for by a cursor, however old. */
export function isReplayed(delivery: Delivery): boolean {
  return delivery instanceof Match && delivery.isReplayed
}

/** Bytes of the images that the delivery's change keeps, undecoded; null where that is not known. */
export function rowBytesOf(delivery: Delivery): number | null {
  if (delivery instanceof Match) return delivery.weight.rowBytes
  return delivery.change instanceof RowChange ? delivery.change.imageBytes : null
}
