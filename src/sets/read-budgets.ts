/**
 * Beside the spine, sets. What lists and totals have used of what they may cost, beyond their end: who opens one again goes on with that. Else a list that
 * was refused, or is opened and left again and again, would be read each time as if it had cost nothing.
 */
import { createHash } from 'node:crypto'
import { RowcastError } from '../errors.ts'
import { ReadBudget } from './read-budget.ts'

/** As many are remembered of those that have ended; the one that ended first is forgotten first, and those that are refused last. */
const REMEMBERED_MAX = 1_000

/** Those of one process. */
export class ReadBudgets {
  readonly #monotonicMs: () => number
  /** By the hash of the name: with all its conditions that may be as long as a request. */
  readonly #ended = new Map<string, ReadBudget>()

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
  }

  /**
   * That of one that is opened.
   * @param name equal for those that are the same
   * @throws LIST_TOO_COSTLY where it was refused, and it is too early to read it again
   */
  open(name: string | symbol, everyMs: number): ReadBudget {
    const used = typeof name === 'string' && this.#ended.size > 0 ? this.#ended.get(hashOf(name)) : undefined
    if (used === undefined) return new ReadBudget(this.#monotonicMs, everyMs)
    const waitMs = Math.ceil(used.refusedForMs)
    if (waitMs > 0)
      throw new RowcastError(
        'LIST_TOO_COSTLY',
        `It was too costly a moment ago: it is not read again for another ${waitMs} ms.`,
        { details: { retryAfterMs: waitMs } },
      )
    return used
  }

  /** It has ended. */
  end(name: string | symbol, budget: ReadBudget): void {
    if (typeof name !== 'string') return
    const hash = hashOf(name)
    this.#ended.delete(hash)
    if (!budget.isUsed) return
    this.#ended.set(hash, budget)
    for (const [each, { isUsed }] of this.#ended) if (!isUsed) this.#ended.delete(each)
    if (this.#ended.size > REMEMBERED_MAX) this.#forgetOne()
  }

  /** Nobody gets his refused list again by opening others. */
  #forgetOne(): void {
    const [first] = this.#ended.keys()
    const open = [...this.#ended].find(([, { refusedForMs }]) => refusedForMs === 0)
    const forgotten = open?.[0] ?? first
    if (forgotten !== undefined) this.#ended.delete(forgotten)
  }
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('base64')
}
