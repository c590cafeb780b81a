/** Stage 6, bus. The live subscriptions of each model, found by what they ask for. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { invariant } from '../errors.ts'
import { createFilterIndex, type FilterIndex } from './filter/filter-index.ts'
import type { Offer } from './match.ts'
import { COSTLY_STEPS, type Subscriber } from './subscriber.ts'
import { type SliceTimers, TurnCount, TurnSlice } from './time-slices.ts'

/** Those of one model. */
interface ModelSubscribers {
  /** They want every change. */
  readonly unfiltered: Set<Subscriber>
  /** Made with the first one that has a filter. */
  index: FilterIndex<Subscriber> | null
}

/** What one turn offers at the most: a large transaction times all who want it would be one turn. Some milliseconds. */
const OFFERS_A_TURN = 20_000
/**
 * So few are found for a change, or so small a share of many, that each is offered it at once: who reads the log reads all of the model for what the
 * index finds. A bulk update of a row each for ten thousand would have each of them judge all the others'.
 */
const FEW = 8
const FEW_OF = 64
/** Behind so many of these offers the next part had better come in another turn. */
const OFFERS_TO_FEW_A_TURN = 40_000

/** All live subscriptions. */
export class LiveSubscribers {
  readonly #models: Readonly<Record<string, ModelSpec>>
  readonly #offering: TurnCount
  readonly #offeringToFew: TurnCount
  readonly #judging: TurnSlice
  readonly #byModel = new Map<string, ModelSubscribers>()
  /** Those that hold a change back; a commit costs its matches, not the number of subscriptions. */
  #holders: Subscriber[] = []

  /** @param models by name: those that filters may be about */
  constructor(models: Readonly<Record<string, ModelSpec>>, timers: SliceTimers) {
    this.#models = models
    this.#offering = new TurnCount(timers, OFFERS_A_TURN)
    this.#offeringToFew = new TurnCount(timers, OFFERS_TO_FEW_A_TURN)
    this.#judging = new TurnSlice(timers)
  }

  add(subscriber: Subscriber): void {
    const known = this.#byModel.get(subscriber.model) ?? { unfiltered: new Set(), index: null }
    this.#byModel.set(subscriber.model, known)
    if (subscriber.isHolding) this.#holders.push(subscriber)
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

  /** Those of the model; of all models without one. */
  of(model: string | undefined): readonly Subscriber[] {
    const known = model === undefined ? [...this.#byModel.values()] : [this.#byModel.get(model)]
    return known.flatMap((each) => [...(each?.unfiltered ?? []), ...(each?.index?.all() ?? [])])
  }

  /**
   * Offers the change to each subscription that it may concern; how many they were. As long as the turn has time for them, for
   * those with costly filters apart; the others read the change from the log, in turns of their own, but for few of many with filters.
   */
  offer(offer: Offer): number {
    const known = this.#byModel.get(offer.change.model)
    if (known === undefined) return 0
    let candidates = known.unfiltered.size
    for (const subscriber of known.unfiltered) this.#offerTo(subscriber, offer, false)
    if (known.index === null) return candidates
    const found = candidatesOf(known.index, offer)
    candidates += found.length
    const areFew = found.length <= FEW || found.length * FEW_OF < known.index.count
    if (areFew) this.#offeringToFew.note(found.length)
    for (const subscriber of found) this.#offerTo(subscriber, offer, areFew)
    return candidates
  }

  /** Whether so much was offered in this turn that whoever publishes had better wait for the next one. */
  get isTurnFull(): boolean {
    return this.#offeringToFew.isFull
  }

  /** The transaction is over. */
  release(): void {
    const releasing = this.#holders
    this.#holders = []
    for (const subscriber of releasing) if (subscriber.isLive) subscriber.release()
  }

  /** Offers a change, and remembers who holds it back. */
  #offerTo(subscriber: Subscriber, offer: Offer, isOneOfFew: boolean): void {
    const steps = subscriber.judgingSteps
    if (steps >= COSTLY_STEPS ? this.#judging.isOver(steps) : this.#offering.isOver(steps) && !isOneOfFew) {
      subscriber.putOff(offer)
      return
    }
    const wasHolding = subscriber.isHolding
    subscriber.offer(offer)
    if (!wasHolding && subscriber.isHolding) this.#holders.push(subscriber)
  }

  #modelOf(name: string): ModelSpec {
    const model = this.#models[name]
    invariant(model !== undefined, `The bus does not know model ${name}, which a filter is about.`)
    return model
  }
}

/** Whom the change may concern; all where a value cannot be read that would say so: those end who are asked about it. */
function candidatesOf(index: FilterIndex<Subscriber>, { change }: Offer): readonly Subscriber[] {
  try {
    return index.candidates(change)
  } catch {
    return index.all()
  }
}
