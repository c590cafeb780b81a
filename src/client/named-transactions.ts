/**
 * Beside the spine, client. The transactions that a list names with each event: the latest ones that have a part in it, those of the events before
 * among them. Which of them are new, and whether some may have come that it does not name.
 */
import type { ChangeOrigin } from './apply-change.ts'

/** An event names as many at the most, as the schema says. */
const NAMED_MAX = 64

/** What an event says of them. */
interface ComeTransactions {
  readonly come: readonly ChangeOrigin[]
  readonly mayLackSome: boolean
}

/** Those of one list. */
export class NamedTransactions {
  #before: readonly string[] = []

  accept(transactions: readonly ChangeOrigin[]): ComeTransactions {
    const [before, named] = [this.#before, transactions.map(originText)]
    this.#before = named
    const come = transactions.slice(countOfKnown(before, named))
    return { come, mayLackSome: mayLackSome(before, named) }
  }
}

/**
 * How many of the first were named before: as many as the last of those may be. New ones come behind them, also one that looks as they do: a
 * mutation may have written several.
 */
function countOfKnown(before: readonly string[], named: readonly string[]): number {
  for (let count = Math.min(before.length, named.length); count > 0; count -= 1) {
    const from = before.length - count
    if (named.every((text, index) => index >= count || text === before[from + index])) return count
  }
  return 0
}

/** Between two events. */
function mayLackSome(before: readonly string[], named: readonly string[]): boolean {
  // Which had a part in a list that other rows decide about, nobody says.
  if (named.length === 0) return true
  // As long as nothing falls out, those of before come first. Else the server has begun again, with what came later.
  if (named.length < NAMED_MAX) return before.some((text, index) => text !== named[index])
  // Of all that follow one of before none has fallen out.
  const now = new Set(named)
  return !before.some((text) => text !== NAMELESS && now.has(text))
}

/** Equal for the same transaction, as far as what is selected shows it. */
function originText({ xid, metadata }: ChangeOrigin): string {
  return JSON.stringify([xid ?? null, metadata?.mutationId ?? null])
}

/** Of any that nothing is known of: two of them may be two. */
const NAMELESS = originText({})
