/**
 * Sets, between stages 6 and 7. How sets were at a transaction of the log, and which change put a key in or took it out: for whoever asks
 * why. They are read as they were some transactions earlier, and brought through the log once more; nothing is kept.
 */
import { allSetsOf, type Condition, type KeySetSpec, relatedTests } from '../bus/filter/condition.ts'
import { isCounted, type KeySource, relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { History } from '../bus/history.ts'
import { olderThanRetained } from '../bus/resync-required.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import { isRowcastError } from '../errors.ts'
import { toLsn } from '../wire/lsn.ts'
import { idOf, type SetId } from './held-set.ts'
import { compileAt, type KeySet, type KeySetReading } from './key-set.ts'
import { hasAllAfter, type LogTransaction, nextTransactionOf, ordinalOf } from './log-transactions.ts'
import { SetGraph } from './set-graph.ts'
import { WrittenRows } from './written-rows.ts'

/** So many transactions back it is looked for the change that moved a key. */
const TRANSACTIONS_MAX = 1_000

/** What put a key in, or took it out. */
export interface KeyCause {
  /** Null where several changes of its transaction may have. */
  readonly change: AnyChange | null
  /** Of the change, or behind its transaction. */
  readonly cursor: string
}

/** Keys that a transaction put in, or took out. */
export interface MovedKeys {
  readonly count: number
  /** Of the first of them; null for none. */
  readonly cause: KeyCause | null
}

/** What sets are looked up in. */
export interface KeyHistoryHost {
  readonly history: History
  readonly reading: KeySetReading
}

/** The sets of conditions, through the last transactions up to one. */
export class KeyHistory {
  readonly #history: History
  readonly #models: ReadonlySet<string>
  readonly #sets: ReadonlyMap<SetId, KeySet>

  private constructor(history: History, models: ReadonlySet<string>, sets: ReadonlyMap<SetId, KeySet>) {
    this.#history = history
    this.#models = models
    this.#sets = sets
  }

  /** @throws RESYNC_REQUIRED, FILTER_TOO_BROAD, FILTER_UNANSWERABLE where they cannot be known */
  static async open(
    host: KeyHistoryHost,
    conditions: readonly Condition[],
    ordinal: number,
  ): Promise<KeyHistory> {
    const specs = conditions.flatMap(allSetsOf)
    const models = new Set(specs.map(({ model }) => model.name))
    const { log } = host.history
    if ([...models].some((model) => !hasAllAfter(log, model, ordinal - 1))) throw olderThanRetained()
    const passed = passedBy(host.history, models, ordinal)
    const through = async (transactions: readonly LogTransaction[]) =>
      new KeyHistory(
        host.history,
        models,
        await setsThrough(host, { conditions, specs, ordinal }, transactions),
      )
    try {
      return await through(passed)
    } catch (error) {
      // Where a table was emptied, or has changed too much: then without what came before.
      if (
        passed.every((transaction) => transaction.ordinal === ordinal) ||
        !isRowcastError(error) ||
        error.code !== 'RESYNC_REQUIRED'
      )
        throw error
      return await through(passed.filter((transaction) => transaction.ordinal === ordinal))
    }
  }

  /** The keys as they were after a transaction. Of a set that it was not opened for they are not known. */
  keysAt(ordinal: number): KeySource {
    return (spec) => {
      const set = this.#sets.get(idOf(spec))
      return set === undefined ? undefined : (key) => set.keys.has(key, ordinal)
    }
  }

  /** How many keys a transaction put in and took out, and what did the first of each. */
  movedBy(spec: KeySetSpec, ordinal: number): readonly MovedKeys[] {
    const keys = this.#sets.get(idOf(spec))?.keys
    const toggled = [...(keys?.toggledBy(ordinal).keys() ?? [])]
    const put = toggled.filter((key) => keys?.has(key, ordinal))
    const taken = toggled.filter((key) => !keys?.has(key, ordinal))
    return [put, taken].map((moved) => ({
      count: moved.length,
      cause: moved[0] === undefined ? null : this.#causeAt(spec, moved[0], ordinal),
    }))
  }

  /** What made the key be in, or not, as it is after a transaction; null where that is older than what is known. */
  causeOf(spec: KeySetSpec, key: ValueKey, ordinal: number): KeyCause | null {
    const toggled = this.#sets.get(idOf(spec))?.keys.toggledLast(key, ordinal) ?? null
    return toggled === null ? null : this.#causeAt(spec, key, toggled)
  }

  #causeAt(spec: KeySetSpec, key: ValueKey, ordinal: number): KeyCause {
    const transaction = nextTransactionOf(this.#history.log, this.#models, ordinal - 1)
    const change = transaction?.ordinal === ordinal ? this.#changeIn(transaction, spec, key) : null
    return { change, cursor: change?.cursor ?? this.#history.cursorBehind(toLsn(BigInt(ordinal))) }
  }

  #changeIn(transaction: LogTransaction, spec: KeySetSpec, key: ValueKey): AnyChange | null {
    const { ordinal } = transaction
    const isIn = this.keysAt(ordinal)(spec)?.(key) === true
    const counts = this.#membership(spec, key)
    const written = new WrittenRows(spec.model)
    let found: AnyChange | null = null
    for (const change of transaction.changesOf(spec.model.name)) {
      if (change.action === 'TRUNCATE') {
        if (!isIn) found = change
        continue
      }
      const was = counts(change.old, written.note(change) ? ordinal - 1 : ordinal)
      const is = counts(change.new, ordinal)
      if (isIn ? is && !was : was && !is) found = change
    }
    return found ?? this.#changeBehind(transaction, spec, key)
  }

  /** Where nobody wrote a row with the key: what moved a key that its condition asks for, where that can only be one. */
  #changeBehind(transaction: LogTransaction, spec: KeySetSpec, key: ValueKey): AnyChange | null {
    const moved = relatedTests(spec.condition).flatMap(({ fields, set }) => {
      const toggled = this.#sets.get(idOf(set))?.keys.toggledBy(transaction.ordinal)
      if (toggled === undefined || toggled.size === 0) return []
      // The same column is asked for: it is the same key.
      if (fields.join() === spec.fields.join()) return toggled.has(key) ? [{ set, key }] : []
      return [...toggled.keys()].map((other) => ({ set, key: other }))
    })
    const [only, ...others] = moved
    if (only === undefined || others.length > 0) return null
    return this.#changeIn(transaction, only.set, only.key)
  }

  #membership(spec: KeySetSpec, key: ValueKey): (row: AnyRow | null, at: number) => boolean {
    const testAt = compileAt(spec.condition, (input) => this.#sets.get(idOf(input)) as KeySet)
    return (row, at) =>
      row !== null &&
      relatedKeyOf(row, spec.fields, spec.domains) === key &&
      isCounted(spec, testAt(row, at)) === true
  }
}

/** What is asked for. */
interface AskedSets {
  readonly conditions: readonly Condition[]
  /** Those of the conditions, and those that they ask in turn. */
  readonly specs: readonly KeySetSpec[]
  readonly ordinal: number
}

/** The sets, behind transactions that wrote rows of theirs. */
async function setsThrough(
  { reading }: KeyHistoryHost,
  { conditions, specs, ordinal }: AskedSets,
  passed: readonly LogTransaction[],
): Promise<ReadonlyMap<SetId, KeySet>> {
  const graph = new SetGraph((passed[0]?.ordinal ?? ordinal) - 1, reading)
  const held = graph.hold([...conditions, ...specs.map(({ condition }) => condition)])
  await held.ready()
  for (const transaction of passed) {
    graph.advance(transaction)
    await held.ready()
  }
  return new Map(specs.map((spec) => [idOf(spec), held.get(spec)]))
}

/** The last transactions up to one that wrote rows of these models, as far as the log has them. */
function passedBy({ log }: History, models: ReadonlySet<string>, ordinal: number): readonly LogTransaction[] {
  const floors = [...models].map((model) => ordinalOf(log.floorOf(model).commitLsn))
  const passed: LogTransaction[] = []
  for (let at = Math.max(0, ...floors); ; ) {
    const next = nextTransactionOf(log, models, at)
    if (next === null || next.ordinal > ordinal) return passed.slice(-TRANSACTIONS_MAX)
    passed.push(next)
    at = next.ordinal
  }
}
