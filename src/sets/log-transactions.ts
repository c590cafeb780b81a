/**
 * Sets, between stages 6 and 7. The transactions of the retained log, as sets read them: by model, as often as they need, while the log
 * keeps them. Nothing is kept beside the log: whoever is so slow that it has moved on cannot go on.
 */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { RetainedLog } from '../bus/retained-log.ts'
import type { AnyChange, TransactionInfo } from '../changes/change.ts'
import { modelAt } from '../changes/change-views.ts'
import { comparePositions } from '../changes/cursor.ts'
import { invariant } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import type { StreamTransaction } from './rows-at.ts'

/** The log, to be read. */
export type ReadableLog = Pick<
  RetainedLog,
  'read' | 'seek' | 'find' | 'first' | 'end' | 'floorOf' | 'lastOf' | 'openLsn'
>

/** The number of a transaction in commit order: where it committed. Exact as a number for the first eight petabytes of WAL. */
export function ordinalOf(commitLsn: Lsn): number {
  const ordinal = Number(commitLsn)
  invariant(Number.isSafeInteger(ordinal), 'WAL positions are below 2^53.')
  return ordinal
}

/** Up to where all that committed has come whole, whether anything of it was for us or not. */
export function passedOrdinalOf({ newest, openLsn }: Pick<RetainedLog, 'newest' | 'openLsn'>): number {
  const ordinal = ordinalOf(newest.commitLsn)
  return openLsn === null ? ordinal : ordinal - 1
}

/** A transaction of the log, whose last part has come. */
export class LogTransaction implements StreamTransaction {
  readonly ordinal: number
  readonly info: TransactionInfo
  readonly models: ReadonlySet<string>
  readonly #log: ReadableLog
  /** Sequence number of its first part that there was, and of the first one behind it. */
  readonly #from: number
  readonly #to: number

  constructor(log: ReadableLog, info: TransactionInfo, from: number, to: number) {
    this.ordinal = ordinalOf(info.commitLsn)
    this.info = info
    this.#log = log
    this.#from = from
    this.#to = to
    const models = new Set<string>()
    for (let sequence = from; sequence < to; sequence += 1) {
      for (const { model } of log.read(sequence)?.spans ?? []) models.add(model)
    }
    this.models = models
  }

  /** Behind the index of its last change. */
  get endIndex(): number {
    const changes = this.#log.read(this.#to - 1)?.part.changes
    const last = changes === undefined || changes.length === 0 ? undefined : changes.at(changes.length - 1)
    return (last?.index ?? -1) + 1
  }

  /** Changes of the model, and of others between them: what reading it costs. */
  countOf(model: string): number {
    let count = 0
    for (let sequence = this.#from; sequence < this.#to; sequence += 1) {
      const span = this.#log.read(sequence)?.spans.find((each) => each.model === model)
      if (span !== undefined) count += span.to - span.from
    }
    return count
  }

  /** @throws RESYNC_REQUIRED where the log has let go of some of them */
  *changesOf(model: string): Iterable<AnyChange> {
    for (let sequence = this.#seek(model, this.#from); sequence < this.#to; ) {
      const entry = this.#log.read(sequence)
      const span = entry?.spans.find((each) => each.model === model)
      for (let offset = span?.from ?? 0; offset < (span?.to ?? 0); offset += 1) {
        // Whoever takes them may wait in between, and what the log lets go of is overwritten.
        if (this.#log.read(sequence) !== entry) throw movedOn(model)
        const changes = entry?.part.changes
        if (changes === undefined || modelAt(changes, offset) !== model) continue
        const change = changes.at(offset)
        if (change !== undefined) yield change
      }
      sequence = this.#seek(model, sequence + 1)
    }
  }

  #seek(model: string, from: number): number {
    const begins = { commitLsn: this.info.commitLsn, index: -1 }
    // Nothing of the transaction was there where the log began: it began before it.
    if (from < this.#log.first && comparePositions(this.#log.floorOf(model), begins) >= 0)
      throw movedOn(model)
    return this.#log.seek(model, from)
  }
}

/** The next transaction of any of the models behind a position in commit order; null while there is none that is whole. */
export function nextTransactionOf(
  log: ReadableLog,
  models: Iterable<string>,
  after: number,
): LogTransaction | null {
  const from = log.find(endOf(after))
  let sequence = log.end
  for (const model of models) sequence = Math.min(sequence, log.seek(model, from))
  return transactionAt(log, sequence)
}

/** The one that has just come whole; null where it has changes of none of the models. */
export function newestOf(log: ReadableLog, models: Iterable<string>, ordinal: number): LogTransaction | null {
  const last = log.end - 1
  const info = log.read(last)?.part.transaction
  // The log may not have kept it.
  if (info === undefined || ordinalOf(info.commitLsn) !== ordinal)
    return nextTransactionOf(log, models, ordinal - 1)
  const newest = transactionAt(log, last)
  if (newest !== null) for (const model of models) if (newest.models.has(model)) return newest
  return null
}

/** The same, of which nothing has left the log; the models are gone through twice. @throws RESYNC_REQUIRED */
export function nextRetained(
  log: ReadableLog,
  models: ReadonlySet<string>,
  after: number,
): LogTransaction | null {
  for (const model of models)
    if (!hasAllAfter(log, model, after)) throw cannotGoOn('it is older than what is retained', model)
  return nextTransactionOf(log, models, after)
}

/** The transactions of one model behind a position in commit order, and before one of the WAL. They have all come. */
export function transactionsBetween(
  log: ReadableLog,
  model: string,
  after: number,
  before: Lsn,
): readonly LogTransaction[] {
  if (!hasAllAfter(log, model, after)) throw movedOn(model)
  const found: LogTransaction[] = []
  for (let at = after; ; ) {
    const next = nextTransactionOf(log, [model], at)
    if (next === null || next.info.commitLsn >= before) return found
    found.push(next)
    at = next.ordinal
  }
}

/** The models of which something behind the position has left the log. */
export function modelsMissed(
  log: ReadableLog & Pick<RetainedLog, 'floor'>,
  models: Iterable<string>,
  after: number,
): readonly string[] {
  if (comparePositions(log.floor, endOf(after)) <= 0) return []
  return [...models].filter((model) => !hasAllAfter(log, model, after))
}

/** Whether nothing of the model behind the position has left the log. */
export function hasAllAfter(log: ReadableLog, model: string, after: number): boolean {
  return comparePositions(log.floorOf(model), endOf(after)) <= 0
}

/** The transaction that has this part; null where there is none, or its last part is still to come. */
function transactionAt(log: ReadableLog, sequence: number): LogTransaction | null {
  const info = log.read(sequence)?.part.transaction
  if (info === undefined) return null
  const isOfIt = (at: number): boolean => log.read(at)?.part.transaction.commitLsn === info.commitLsn
  let from = sequence
  while (from > log.first && isOfIt(from - 1)) from -= 1
  let to = sequence + 1
  while (to < log.end && isOfIt(to)) to += 1
  return log.read(to - 1)?.part.isFinal === true ? new LogTransaction(log, info, from, to) : null
}

/** Behind all that stands at the position. */
function endOf(ordinal: number) {
  return { commitLsn: toLsn(BigInt(ordinal)), index: Number.MAX_SAFE_INTEGER }
}

/** The end of whoever is to read what the log does not have any more. */
export function movedOn(model: string): Error {
  return cannotGoOn('the log has moved on before related rows were known', model)
}
