/**
 * Sets, between stages 6 and 7. Rights that code answers for, and that depend on rows: they are asked for again at each transaction that
 * wrote one of these rows, before anything of it is judged, or of a later one.
 */
import { type ChangeFilter, createChangeFilter } from '../bus/filter/change-filter.ts'
import { judgeChange } from '../bus/filter/judge-change.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { type LogTransaction, nextRetained } from './log-transactions.ts'
import type { RelatedHost, RelatedRequest } from './related-request.ts'
import type { Rights } from './rights.ts'

/** Changes of rows that a right depends on, looked at within one turn: behind more, nobody goes on. */
const CHANGES_MAX = 10_000

/** The rows that the rights are to, and what else decides which of them are seen. */
type JudgedRequest = Pick<RelatedRequest, 'model' | 'setModels'>

/** Those of one subscription. */
export class FollowedRights {
  readonly #host: RelatedHost
  readonly #model: ModelSpec
  readonly #rights: Rights
  /** A change of one of these may have a row judged: of its own model, of those that its conditions ask, and of included relations. */
  readonly #judged: readonly string[]
  /** What finds the rows, by model. */
  readonly #filters: ReadonlyMap<string, readonly (ChangeFilter | null)[]>
  /** Of those rows. */
  readonly #models: ReadonlySet<string>
  /** The transaction up to which it is known what the right is, while what was answered last is of one that is still to come; else null. */
  #knownUpTo: number | null = null

  constructor(host: RelatedHost, { model, setModels }: JudgedRequest, rights: Rights) {
    this.#host = host
    this.#model = model
    this.#judged = [model.name, ...setModels]
    this.#rights = rights
    const filters = new Map<string, (ChangeFilter | null)[]>()
    for (const { model, condition } of rights.dependencies) {
      const of = filters.get(model.name) ?? []
      filters.set(model.name, [...of, createChangeFilter({ where: condition })])
    }
    this.#filters = filters
    this.#models = new Set(filters.keys())
  }

  /** Up to which transaction it is known what the right is. */
  get knownUpTo(): number {
    return this.#knownUpTo ?? Number.POSITIVE_INFINITY
  }

  /**
   * What changes are judged by from the transaction on; undefined where it is what it was.
   * @throws RESYNC_REQUIRED, and what else ends the subscription
   */
  async through(transaction: LogTransaction): Promise<ChangeFilter | null | undefined> {
    const isWritten = this.#isWrittenIn(transaction)
    // Between two writes of such rows nobody knows what the right is, nor has to while there is nothing to judge.
    const mayWait = !this.#judged.some((model) => transaction.models.has(model))
    if (this.#knownUpTo !== null && !mayWait) throw this.#tooFast()
    if (!isWritten) return undefined
    const answer = await this.#ask(transaction.ordinal)
    const isOpen = this.#isWrittenAfter(transaction.ordinal)
    if (isOpen && !mayWait) throw this.#tooFast()
    this.#knownUpTo = isOpen ? (this.#knownUpTo ?? transaction.ordinal - 1) : null
    return isOpen ? undefined : answer
  }

  /**
   * What changes are judged by behind a transaction.
   * @throws RESYNC_REQUIRED where what was answered may be of a later one; what else ends the subscription
   */
  async begin(ordinal: number): Promise<ChangeFilter | null> {
    const answer = await this.#ask(ordinal)
    if (this.#isWrittenAfter(ordinal)) throw this.#tooFast()
    return answer
  }

  async #ask(ordinal: number): Promise<ChangeFilter | null> {
    const { whenVisible } = this.#host.reading
    if (whenVisible === undefined) throw cannotGoOn('its rights cannot be asked for again', this.#model.name)
    await whenVisible(ordinal, this.#model.name)
    const answer = await this.#rights.ask()
    // What the answer saw has come once the stream has.
    await this.#host.whenCurrent(this.#model)
    return answer
  }

  #tooFast(): Error {
    return cannotGoOn('what its rights depend on changes faster than they are asked for', this.#model.name)
  }

  #isWrittenAfter(ordinal: number): boolean {
    const { history } = this.#host
    if (history === null) throw cannotGoOn('the stream has ended')
    let left = CHANGES_MAX
    for (let at = ordinal; ; ) {
      // What has left the log may have written one of them.
      const transaction = nextRetained(history.log, this.#models, at)
      if (transaction === null) return false
      for (const model of this.#models) left -= transaction.countOf(model)
      if (left < 0 || this.#isWrittenIn(transaction)) return true
      at = transaction.ordinal
    }
  }

  #isWrittenIn(transaction: LogTransaction): boolean {
    for (const [model, filters] of this.#filters) {
      if (!transaction.models.has(model)) continue
      for (const change of transaction.changesOf(model)) {
        if (change.action === 'TRUNCATE') return true
        // What cannot be said of a row may have changed the answer.
        if (filters.some((filter) => filter === null || judgeChange(filter, change).verdict !== 'miss'))
          return true
      }
    }
    return false
  }
}
