/** Sets, between stages 6 and 7. The subscriptions that follow relations: all, by model, and those few that have to be looked at. */
import type { AccountShare } from './account-share.ts'
import type { RelatedSubscription } from './related-subscription.ts'

/** What an open one has besides. */
interface Opened {
  readonly share: AccountShare
  forgetSignal: () => void
}

/** Those of one bus. */
export class OpenSubscriptions {
  readonly #open = new Map<RelatedSubscription, Opened>()
  /** How many have to do with a model. */
  readonly #byModel = new Map<string, number>()
  readonly #beginning = new Set<RelatedSubscription>()
  readonly #behind = new Set<RelatedSubscription>()

  all(): readonly RelatedSubscription[] {
    return [...this.#open.keys()]
  }

  /** Those that still wait for what has to be known before they begin. */
  beginning(): readonly RelatedSubscription[] {
    return [...this.#beginning]
  }

  /** Those that have not been given everything there is. */
  behind(): readonly RelatedSubscription[] {
    return [...this.#behind]
  }

  /** The models that any of them has to do with. */
  get models(): Iterable<string> {
    return this.#byModel.keys()
  }

  add(subscription: RelatedSubscription, share: AccountShare): void {
    this.#open.set(subscription, { share, forgetSignal: () => {} })
    this.#beginning.add(subscription)
    this.#behind.add(subscription)
    for (const model of subscription.models) this.#byModel.set(model, (this.#byModel.get(model) ?? 0) + 1)
  }

  /** What to call when it ends; nothing where it has ended. */
  setForgetSignal(subscription: RelatedSubscription, forgetSignal: () => void): void {
    const opened = this.#open.get(subscription)
    if (opened !== undefined) opened.forgetSignal = forgetSignal
  }

  delete(subscription: RelatedSubscription): void {
    const opened = this.#open.get(subscription)
    if (opened === undefined) return
    opened.forgetSignal()
    opened.share.end()
    for (const each of [this.#open, this.#beginning, this.#behind]) each.delete(subscription)
    for (const model of subscription.models) {
      const left = (this.#byModel.get(model) ?? 0) - 1
      if (left > 0) this.#byModel.set(model, left)
      else this.#byModel.delete(model)
    }
  }

  begun(subscription: RelatedSubscription): void {
    this.#beginning.delete(subscription)
  }

  caughtUp(subscription: RelatedSubscription): void {
    // It says so behind each event: most of the time that is known.
    if (!subscription.isBehind) return
    subscription.isBehind = false
    if (this.#behind.delete(subscription)) this.#open.get(subscription)?.share.caughtUp()
  }

  fellBehind(subscription: RelatedSubscription): void {
    subscription.isBehind = true
    this.#behind.add(subscription)
  }

  /** How many there are by the model whose rows they ask for, added to others. */
  addCounts(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    if (this.#open.size === 0) return counts
    const all = new Map(counts)
    for (const { model } of this.#open.keys()) all.set(model, (all.get(model) ?? 0) + 1)
    return all
  }
}
