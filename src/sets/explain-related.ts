/** Sets, between stages 6 and 7. Why other rows let a change through or not: which set of keys, and the change that put a key in or took it out. */

import type { RelatedRows } from '../bus/explain-delivery.ts'
import { conditionsOf } from '../bus/filter/change-filter.ts'
import { allSetsOf, type KeySetSpec, keySetsOf, relatedTests } from '../bus/filter/condition.ts'
import type { ExplainedRequest } from '../bus/filter/explain-change.ts'
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { isJoinTable } from '../catalog/relation-path.ts'
import type { AnyChange } from '../changes/change.ts'
import { parseCursor } from '../changes/cursor.ts'
import { type KeyCause, KeyHistory, type KeyHistoryHost, type MovedKeys } from './key-history.ts'
import { nextTransactionOf, ordinalOf } from './log-transactions.ts'
import { WrittenRows } from './written-rows.ts'

/** What is asked: a subscription whose filter asks other rows, and a position. */
type Asked = Pick<ExplainedRequest, 'model' | 'filter' | 'namesPolicies' | 'namedModels'> & {
  readonly cursor: string
}

/** Looks back. @throws BAD_CURSOR, RESYNC_REQUIRED, FILTER_TOO_BROAD, FILTER_UNANSWERABLE */
export async function relatedRowsAt(host: KeyHistoryHost, asked: Asked): Promise<RelatedRows> {
  const { filter, model, namesPolicies = false, namedModels } = asked
  const ordinal = ordinalOf(parseCursor(asked.cursor).position.commitLsn)
  const conditions = filter === null ? [] : conditionsOf(filter)
  const sets = await KeyHistory.open(host, conditions, ordinal)
  const own = filter === null ? [] : conditionsOf(namesPolicies ? filter : { ...filter, rows: null })
  // Of what they ask in turn policies may be a part.
  const named = own.flatMap(namesPolicies ? allSetsOf : keySetsOf)
  const nameOf = (spec: KeySetSpec) =>
    isJoinTable(spec.model) && !namesPolicies
      ? 'what joins the related rows'
      : spec.fields.map((field) => `\`${spec.model.name}.${field}\``).join(' and ')
  // A set that the client names may ask, for a policy, others that it does not name.
  const mayName = (cause: KeyCause | null) =>
    namesPolicies || namedModels?.has(cause?.change?.model ?? '') === true
  return {
    keysOf(change) {
      const at = { before: isFirstWrite(host, model, change) ? ordinal - 1 : ordinal, after: ordinal }
      return {
        before: sets.keysAt(at.before),
        after: sets.keysAt(at.after),
        describe: (condition, row, image) =>
          relatedTests(condition).map(({ fields, domains, set }) => {
            const key = relatedKeyOf(row, fields, domains) ?? null
            const isIn = key !== null && sets.keysAt(at[image])(set)?.(key) === true
            const cause = key === null ? null : sets.causeOf(set, key, at[image])
            const asks = fields.map((field) => `\`${field}\``).join(' and ')
            const of = `${asks} of the row ${image} it ${isIn ? 'is a key' : 'is no key'} of ${nameOf(set)}`
            return `${of}${sinceText(cause, isIn, mayName(cause))}.`
          }),
      }
    },
    moved: () => {
      const sentences = named.flatMap((spec) => {
        const [put, taken] = sets.movedBy(spec, ordinal)
        return [
          put && movedText(put, `put # into ${nameOf(spec)}`, mayName(put.cause)),
          taken && movedText(taken, `took # out of ${nameOf(spec)}`, mayName(taken.cause)),
        ].filter((text) => typeof text === 'string')
      })
      return sentences.length === 0 ? null : [...new Set(sentences)].join(' ')
    },
    names: (name) => name !== model.name && named.some((spec) => spec.model.name === name),
  }
}

/** Whether the row before a change is from before its transaction. */
function isFirstWrite({ history }: KeyHistoryHost, model: ModelSpec, change: AnyChange): boolean {
  const ordinal = ordinalOf(change.transaction.commitLsn)
  const written = new WrittenRows(model)
  for (const each of nextTransactionOf(history.log, [model.name], ordinal - 1)?.changesOf(model.name) ?? []) {
    if (each.action === 'TRUNCATE') continue
    const isFirst = written.note(each)
    if (each.index === change.index) return isFirst
  }
  return true
}

function sinceText(cause: KeyCause | null, isIn: boolean, isNamed: boolean): string {
  if (cause === null) return ', as it was before what this process retains'
  return `: ${changeText(cause, isNamed)} ${isIn ? 'put it there' : 'took it out'}`
}

function changeText({ change, cursor }: KeyCause, isNamed: boolean): string {
  return change === null || !isNamed
    ? `the transaction at ${cursor}`
    : `the ${change.action} of ${change.model} at ${cursor}`
}

function movedText({ count, cause }: MovedKeys, did: string, isNamed: boolean): string | null {
  if (cause === null) return null
  const keys = count === 1 ? '1 key' : `${count} keys`
  return `Its transaction ${did.replace('#', keys)}, ${count === 1 ? '' : 'the first '}by ${changeText(cause, isNamed)}.`
}
