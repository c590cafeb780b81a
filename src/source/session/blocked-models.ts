/**
 * Stage 5, source. What stands before a transaction that cannot be sent or handed on: all changes wait behind it. Who is
 * subscribed to a model that the transaction has come to hears of it, and goes on where it is once the stream has passed;
 * subscriptions of other models wait. Passes over the transaction where a mark says so.
 */

import type { ChangePosition } from '../../changes/change-position.ts'
import { INDEX_AFTER_ALL } from '../../changes/cursor.ts'
import type { RowcastError } from '../../errors.ts'
import { type Lsn, parseLsn, toLsn } from '../../wire/lsn.ts'
import type { Continuity } from '../published/continuity.ts'
import { createMissedError } from '../published/gap-notices.ts'
import type { ModelTableState } from '../setup/model-tables.ts'
import type { PublicationCut } from '../watch/publication-listener.ts'
import type { PreparedStream } from './slot-preparation.ts'

/** Who hears of it. */
export interface BlockedListener {
  /** These models' changes wait, and why; all others' do not, or wait without a word. */
  onBlocked(blocked: ReadonlyMap<string, RowcastError>): void
  /** The models' tables stand otherwise. */
  onTables(tables: readonly ModelTableState[]): void
  /** What the transaction changed of the model is given up. */
  onCut(model: string, cut: PublicationCut): void
}

interface Block {
  readonly error: RowcastError
  readonly commitLsn: Lsn
  readonly models: ReadonlySet<string>
  readonly isReported: boolean
}

/** One per source. */
export class BlockedModels {
  readonly #listener: BlockedListener
  #block: Block | null = null
  #tables: readonly ModelTableState[] = []

  constructor(listener: BlockedListener) {
    this.#listener = listener
  }

  /** Takes where the models' tables stand, to be notified with what is blocked. */
  takeTables(tables: readonly ModelTableState[]): void {
    this.#tables = tables
    const blocked = this.#reportedModels
    this.#listener.onTables(
      blocked.size === 0 ? tables : tables.map((each) => ({ ...each, isBlocked: blocked.has(each.model) })),
    )
  }

  /** A stream has ended before this transaction, which had come to these models. */
  find(error: RowcastError, models: readonly string[]): void {
    const { commitLsn } = error.details
    if (typeof commitLsn !== 'string') return
    const lsn = parseLsn(commitLsn)
    const known = this.#block?.commitLsn === lsn ? this.#block : null
    const all = new Set([...(known?.models ?? []), ...models])
    this.#block = { error, commitLsn: lsn, models: all, isReported: false }
    // By the second time the stream has begun with this transaction: the change that fails is of one of its models.
    if (known !== null) this.#report(true)
  }

  /** The stream has come so far. */
  reaches(lsn: Lsn): void {
    if (this.#block !== null && lsn > this.#block.commitLsn) this.#clear()
  }

  #clear(): void {
    const wasReported = this.#block?.isReported === true
    this.#block = null
    if (wasReported) this.#report(false)
  }

  /**
   * The stream that begins behind the transaction, where that is asked for; null where it begins as it is. `wholeLsn`: where
   * the last transaction commits that has come whole: a broker that does not have it yet gets it first.
   */
  passOver(prepared: PreparedStream, wholeLsn: Lsn): PreparedStream | null {
    const { continuity, facts } = prepared
    if (this.#block === null) return null
    if (!meetsAgain(continuity) || lacks(continuity, this.#block.commitLsn)) {
      // After a gap positions may mean something else, and what is behind it is not met again; nor what a server that took over lacks.
      this.#clear()
      return null
    }
    const skipTo = behind(this.#block.commitLsn)
    if (!facts.skips.includes(skipTo) || continuity.floorLsn >= skipTo) return null
    // A gap has ended everybody: whatever came before it is theirs to query.
    if (continuity.kind === 'continuous' && wholeLsn >= continuity.floorLsn) return null
    return { ...prepared, continuity: { ...continuity, floorLsn: skipTo } }
  }

  /** The stream has begun behind it: what it changed is lost. Of models it had not come to yet, a barrier says so. */
  giveUp(): void {
    if (this.#block === null) return
    const { models, commitLsn } = this.#block
    const position: ChangePosition = { commitLsn, index: INDEX_AFTER_ALL }
    for (const model of models) {
      const error = createMissedError(model, 'transaction-skipped')
      this.#listener.onCut(model, { position, cleanFrom: behind(commitLsn), error })
    }
    this.reaches(behind(commitLsn))
  }

  get #reportedModels(): ReadonlySet<string> {
    return this.#block?.isReported ? this.#block.models : new Set()
  }

  #report(isReported: boolean): void {
    if (this.#block !== null) this.#block = { ...this.#block, isReported }
    const { error } = this.#block ?? {}
    this.#listener.onBlocked(
      new Map(error === undefined ? [] : [...this.#reportedModels].map((model) => [model, error])),
    )
    this.takeTables(this.#tables)
  }
}

/** The first position that a transaction that commits at `lsn` does not have. */
function behind(lsn: Lsn): Lsn {
  return toLsn(lsn + 1n)
}

/** Whether the stream brings again what the last one ended before: also where it was torn, for which everybody ends. */
function meetsAgain(continuity: Continuity): boolean {
  return (
    continuity.kind === 'continuous' || (continuity.kind === 'gap' && continuity.reason === 'delivery-failed')
  )
}

/** Whether the server that has taken over never got the transaction. */
function lacks({ sharedLsn }: Continuity, commitLsn: Lsn): boolean {
  return sharedLsn !== undefined && commitLsn >= sharedLsn
}
