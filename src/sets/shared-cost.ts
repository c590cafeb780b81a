/**
 * Sets, between stages 6 and 7. Who pays for what many have: whoever opened it first, and once he leaves another of them. It is on no account of
 * a client that has it no more, and never on none: else what is open would be without a bound.
 */
import type { Account } from '../bus/holdings.ts'
import { isRowcastError } from '../errors.ts'

/** Who is asked whether there is room in his account, where one leaves: thousands may leave at once. */
const ASKED_MAX = 16

/** One of those who have it. */
export interface CostBearer {
  /** Null for the process itself. */
  readonly account: Account | null
  readonly cost: number
}

/** Of one thing that is shared. */
export class SharedCost {
  readonly #bearers = new Set<CostBearer>()
  #payer: CostBearer | null = null

  /** Of who pays; null for the process itself, and where nobody has it. */
  get account(): Account | null {
    return this.#payer?.account ?? null
  }

  /** Somebody has it, too. @throws FILTER_TOO_COSTLY where he is the first, and has no room for it */
  enter(bearer: CostBearer): void {
    if (this.#payer === null) {
      bearer.account?.begin(bearer.cost, false)
      this.#payer = bearer
    }
    this.#bearers.add(bearer)
  }

  /** He has it no more. */
  leave(bearer: CostBearer): void {
    if (!this.#bearers.delete(bearer) || this.#payer !== bearer) return
    bearer.account?.endFilter(bearer.cost)
    this.#payer = this.#nextPayer()
  }

  /** It is over for all. */
  end(): void {
    this.#payer?.account?.endFilter(this.#payer.cost)
    this.#payer = null
    this.#bearers.clear()
  }

  /** One who has room for it; where none has, the first of them all the same: he has it. */
  #nextPayer(): CostBearer | null {
    let asked = 0
    for (const bearer of this.#bearers) {
      if (hasBegun(bearer)) return bearer
      asked += 1
      if (asked === ASKED_MAX) break
    }
    const [first = null] = this.#bearers
    first?.account?.beginBeyond(first.cost)
    return first
  }
}

function hasBegun({ account, cost }: CostBearer): boolean {
  try {
    account?.begin(cost, false)
    return true
  } catch (error) {
    if (isRowcastError(error, 'FILTER_TOO_COSTLY')) return false
    throw error
  }
}
