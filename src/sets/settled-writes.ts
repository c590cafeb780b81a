/**
 * Sets, between stages 6 and 7. What a transaction gives where it has moved none of the sets that are asked: its own writes, judged at once.
 */
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange, ChangeAction } from '../changes/change.ts'
import { positionOf } from './last-given.ts'
import type { LiveRows } from './live-rows.ts'
import type { WrittenEvent } from './related-event.ts'
import type { StreamTransaction } from './rows-at.ts'

/** What is asked for. */
export interface AskedWrites {
  readonly model: ModelSpec
  readonly filter: ChangeFilter
  /** Which writes come. @default all */
  readonly actions?: readonly ChangeAction[] | undefined
}

/** Changes of more rows are judged as they are taken. */
const CHANGES_MAX = 100
const NOTHING: ReadonlySet<string> = new Set()

/** A write, and whether it is the last that comes of its transaction. */
export type SettledWrite = WrittenEvent & { readonly isLast: boolean }

/** The transaction with changes that are made once, however many look at them; of a large one each makes its own. */
export function sharedOf(transaction: StreamTransaction): StreamTransaction {
  const byModel = new Map<string, readonly AnyChange[]>()
  const countOf = (model: string) => transaction.countOf?.(model) ?? Number.POSITIVE_INFINITY
  return {
    ordinal: transaction.ordinal,
    models: transaction.models,
    countOf,
    changesOf(model) {
      const known = byModel.get(model)
      if (known !== undefined) return known
      if (countOf(model) > CHANGES_MAX) return transaction.changesOf(model)
      const changes = [...transaction.changesOf(model)]
      byModel.set(model, changes)
      return changes
    },
  }
}

/** One that wrote nothing that anybody asks for. */
export function nothingAt(ordinal: number): StreamTransaction {
  return { ordinal, models: NOTHING, changesOf: () => [] }
}

/** Filters with one key judge alike, and ask the same sets. Null where that is not known. */
export function audienceOf({ model, filter, actions = [] }: AskedWrites): string | null {
  return filter.key === null ? null : JSON.stringify([model.name, actions, filter.key])
}

/** How many changes there are to judge; null where there are too many to judge them at once, or that is not known. */
export function judgedAtOnce({ countOf }: StreamTransaction, { name }: ModelSpec): number | null {
  const count = countOf?.(name) ?? Number.POSITIVE_INFINITY
  return count > CHANGES_MAX ? null : count
}

/** Those of a transaction; null where they cannot be judged at once. */
export function settledWritesOf(
  transaction: StreamTransaction,
  { model, actions }: AskedWrites,
  live: LiveRows,
): readonly SettledWrite[] | null {
  if (judgedAtOnce(transaction, model) === null) return null
  try {
    return judged(transaction, actions ?? [], live)
  } catch {
    // Its loop meets it as well, and ends this one subscription with it.
    return null
  }
}

function judged(
  transaction: StreamTransaction,
  actions: readonly string[],
  live: LiveRows,
): readonly SettledWrite[] | null {
  const { writes, request } = live.decide(transaction)
  if (request !== null) return null
  const wanted: WrittenEvent[] = []
  for (const { change, judgement } of writes) {
    // It ends the subscription, which is for its loop to do.
    if (judgement.verdict === 'unknown') return null
    if (actions.length === 0 || actions.includes(change.action))
      wanted.push({ kind: 'written', change, judgement })
  }
  return wanted.map((write, index) => {
    const isLast = index === wanted.length - 1
    return { ...write, isLast, last: positionOf(write.change) }
  })
}
