/** Sets, between stages 6 and 7. What one subscription has of its client's account: what its filter costs, and a turn to catch up in. */
import type { Account } from '../bus/holdings.ts'

/** Of one subscription. */
export class AccountShare {
  readonly #account: Account | null
  readonly #cost: number
  #isCatchingUp: boolean

  /** @throws FILTER_TOO_COSTLY, TOO_MANY_REPLAYS */
  constructor(account: Account | null, cost: number, isCatchingUp: boolean) {
    account?.begin(cost, isCatchingUp)
    this.#account = account
    this.#cost = cost
    this.#isCatchingUp = isCatchingUp
  }

  /** It has everything there is; the first time counts. */
  caughtUp(): void {
    if (!this.#isCatchingUp) return
    this.#isCatchingUp = false
    this.#account?.endReplay()
  }

  /** It has ended; once. */
  end(): void {
    this.caughtUp()
    this.#account?.endFilter(this.#cost)
  }
}
