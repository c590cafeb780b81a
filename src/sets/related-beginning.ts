/** Sets, between stages 6 and 7. Where in the log a subscription goes on that asks other rows: behind what is known of all of its models. */
import type { History } from '../bus/history.ts'
import { olderThanRetained } from '../bus/resync-required.ts'
import { type Cursor, INDEX_AFTER_ALL, parseCursor } from '../changes/cursor.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { hasAllAfter, ordinalOf } from './log-transactions.ts'
import type { RelatedEvent } from './related-event.ts'
import type { RelatedRequest } from './related-request.ts'
import type { SetGraph } from './set-graph.ts'

/** A position to go on at. */
export interface Beginning {
  /** The transaction up to which all has been given. */
  readonly ordinal: number
  /** Of the next one, where it goes on within it: the last change that was given before. */
  readonly given: { readonly ordinal: number; readonly index: number } | null
}

/** All models that a subscription has to do with: its own, those of its sets, and those that its rights depend on. */
export function modelsOf({ model, setModels, rights }: RelatedRequest): ReadonlySet<string> {
  const dependencies = rights?.dependencies.map((each) => each.model.name) ?? []
  return new Set([model.name, ...setModels, ...dependencies])
}

/** The cursor behind all that was given, or was passed over since. */
export function laterCursor(history: History, given: string | null, passed: number): string | null {
  const last = given === null ? 0 : ordinalOf(parseCursor(given).position.commitLsn)
  return last < passed ? history.cursorBehind(toLsn(BigInt(passed))) : given
}

/** Where a subscription begins that has this cursor; without one at what the sets are at. @throws RESYNC_REQUIRED and what is wrong with a cursor */
export function beginningOf(
  { history, graph }: { readonly history: History; readonly graph: SetGraph },
  models: ReadonlySet<string>,
  { after, setModels }: Pick<RelatedRequest, 'after' | 'setModels'>,
  cursor: Cursor | null,
): Beginning & { /** Whether its sets have changed since. */ readonly needsOwnSets: boolean } {
  if (after === undefined) {
    const ordinal = Math.max(graph.ordinal, ordinalOf(history.begun.commitLsn))
    return { ordinal, given: null, needsOwnSets: false }
  }
  const beginning = beginningAfter(history, models, cursor)
  const lastOf = (model: string) => ordinalOf(history.log.lastOf(model).commitLsn)
  return { ...beginning, needsOwnSets: [...setModels].some((model) => lastOf(model) > beginning.ordinal) }
}

/** Up to where all has been given to somebody for whom this is the first that waits; null where it is none of a transaction. */
export function ordinalBefore(waiting: RelatedEvent | undefined): number | null {
  if (waiting?.kind === 'moved') return ordinalOf(waiting.transaction.commitLsn) - 1
  return waiting?.kind === 'written' ? ordinalOf(waiting.change.transaction.commitLsn) - 1 : null
}

/** The position of a cursor that the stream has not come to, and that may be good; null for any other. */
export function aheadOf(history: History, models: ReadonlySet<string>, cursor: Cursor | null): Lsn | null {
  if (cursor === null) return null
  const { commitLsn } = cursor.position
  const isAhead = commitLsn > history.log.newest.commitLsn
  return isAhead && [...models].every((model) => history.faultOf(cursor, model, true) === null)
    ? commitLsn
    : null
}

/** Where to go on after a cursor; from the oldest that is retained where it is null. @throws RESYNC_REQUIRED and what is wrong with a cursor */
export function beginningAfter(
  history: History,
  models: ReadonlySet<string>,
  cursor: Cursor | null,
): Beginning {
  const beginning =
    cursor === null ? { ordinal: oldestOf(history, models), given: null } : behind(history, models, cursor)
  for (const model of models) {
    if (!hasAllAfter(history.log, model, beginning.ordinal)) throw olderThanRetained()
  }
  return beginning
}

/** From there on all of its models are in the log, and what lies before a gap is no beginning. */
function oldestOf(history: History, models: ReadonlySet<string>): number {
  const begins = [...models].flatMap((model) => [
    history.log.floorOf(model),
    history.beginningOf(model) ?? [],
  ])
  return Math.max(...begins.flat().map(({ commitLsn }) => ordinalOf(commitLsn)))
}

/** Within a transaction its own changes up to the cursor are passed over, and what it moved comes again. */
function behind(history: History, models: ReadonlySet<string>, cursor: Cursor): Beginning {
  for (const model of models) {
    const fault = history.faultOf(cursor, model)
    if (fault !== null) throw fault
  }
  const { commitLsn, index } = cursor.position
  const ordinal = ordinalOf(commitLsn)
  if (index >= INDEX_AFTER_ALL) return { ordinal, given: null }
  return { ordinal: ordinal - 1, given: { ordinal, index } }
}
