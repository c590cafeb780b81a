/**
 * Sets, between stages 6 and 7. The rows of one subscription, whose policy or `where` asks other rows. A transaction's own
 * writes are judged as always, the row before by the keys before the transaction and the row after by those after it; rows
 * that it did not write, but moved into sight or out of it, are read as they are after it, and judged both ways.
 */
import type { ChangeConditions, ChangeFilter } from '../bus/filter/change-filter.ts'
import { allOf, type Condition, type RelatedTest, relatedTests } from '../bus/filter/condition.ts'
import { type Judgement, judgeChange } from '../bus/filter/judge-change.ts'
import { TRUE } from '../bus/filter/outcome.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import type { HeardOf } from './included-relation.ts'
import { compileAt, filterAt, type KeySets, keysOf } from './key-set.ts'
import { coverOf } from './keyed-rows.ts'
import { NOTHING_HEARD, type RelatedChanges } from './related-changes.ts'
import { type RowRequest, rowsConcerned, type TransactionKeys } from './related-rows.ts'
import type { StreamTransaction } from './rows-at.ts'
import { turnedRows } from './turned-rows.ts'
import { WrittenRows } from './written-rows.ts'

/** A write, judged. */
export interface JudgedWrite {
  readonly change: AnyChange
  readonly judgement: Judgement
}

/** A row that a transaction moved without writing it, or that hears of related rows. */
export interface MovedRow {
  readonly row: AnyRow
  readonly transition: 'ENTERED' | 'STAYED' | 'LEFT'
  /** ACCESS: the policy says another thing of it than before; RELATION: the `where` alone does; INCLUDED: neither does. */
  readonly cause: 'ACCESS' | 'RELATION' | 'INCLUDED'
  /** Where relations are included: what it hears of. */
  readonly heard?: HeardOf | undefined
}

/** What a transaction means, as far as its writes and the keys say. */
export interface DecidedTransaction {
  /** Judged while they are taken, once. */
  readonly writes: Iterable<JudgedWrite>
  /** Rows that have to be looked at besides; null for none. */
  readonly request: RowRequest | null
  /** Complete once all writes have been taken. */
  readonly written: WrittenRows
}

/** Judges transactions for one subscription. */
export class LiveRows {
  readonly #model: ModelSpec
  readonly #conditions: readonly Condition[]
  /** What these ask of related rows, of before the transaction at hand as well. */
  readonly #tests: readonly RelatedTest[]
  /** Where the transaction at hand has changed the rights to rows: what there was before. */
  readonly #turned: Partial<ChangeConditions> | null
  readonly #parts: Partial<ChangeConditions>
  readonly #keys: TransactionKeys
  readonly #before: ChangeFilter
  readonly #after: ChangeFilter
  /** The transaction at hand. */
  readonly #moment = { before: 0, after: 0 }
  readonly #was: RowSight
  readonly #is: RowSight

  /** @param before what rows were judged by before the transaction at hand; then it is for this one alone. @default the same */
  constructor(
    model: ModelSpec,
    parts: Partial<ChangeConditions>,
    sets: KeySets,
    before: Partial<ChangeConditions> = parts,
  ) {
    this.#model = model
    this.#parts = parts
    this.#turned = before === parts ? null : before
    this.#conditions = rowConditions(parts)
    const asked = this.#turned === null ? this.#conditions : [...this.#conditions, ...rowConditions(before)]
    this.#tests = asked.flatMap(relatedTests)
    this.#keys = keysOf(sets)
    this.#before = filterAt(before, sets, () => this.#moment.before)
    this.#after = filterAt(parts, sets, () => this.#moment.after)
    this.#is = sightOf(parts, sets)
    this.#was = before === parts ? this.#is : sightOf(before, sets)
  }

  /** Judges what the transaction wrote. Its sets have been brought through it. */
  decide(transaction: StreamTransaction): DecidedTransaction {
    const { ordinal } = transaction
    this.#moment.before = ordinal - 1
    this.#moment.after = ordinal
    const written = new WrittenRows(this.#model)
    return { writes: this.#judge(transaction, written), request: this.#requestAt(ordinal), written }
  }

  #requestAt(ordinal: number): RowRequest | null {
    const turned = this.#turned
    const concerned = rowsConcerned(this.#model, this.#tests, this.#keys, ordinal)
    if (turned === null) return concerned && { ...concerned, narrowedBy: allOf(this.#conditions) }
    const rights = turnedRows(turned, this.#parts, (condition) =>
      coverOf(condition, (set) => this.#keys.keysAt(set, ordinal)),
    )
    const keyed = rights === null ? null : [...rights, ...(concerned?.keyed ?? [])]
    return keyed?.length === 0 ? null : { model: this.#model, keyed, areMoved: true }
  }

  *#judge(transaction: StreamTransaction, written: WrittenRows): Iterable<JudgedWrite> {
    for (const change of transaction.changesOf(this.#model.name)) {
      // A row that the transaction wrote before is judged as it was then: by the keys after the transaction.
      const isFirst = change.action !== 'TRUNCATE' && written.note(change)
      const judgement = judgeChange(this.#after, change, isFirst ? this.#before : this.#after)
      if (judgement.verdict !== 'miss') yield { change, judgement }
    }
  }

  /** Judges rows as they were after the transaction: those that it moved without writing them. */
  moved({ written }: DecidedTransaction, ordinal: number, rows: readonly AnyRow[]): readonly MovedRow[] {
    return rows.flatMap((row) => {
      if (written.has(row)) return []
      const wasSeen = this.#was.isSeenAt(row, ordinal - 1)
      const isSeen = this.#is.isSeenAt(row, ordinal)
      const wasIn = wasSeen && this.#was.isAskedForAt(row, ordinal - 1)
      const isIn = isSeen && this.#is.isAskedForAt(row, ordinal)
      if (wasIn === isIn) return []
      return [
        { row, transition: isIn ? 'ENTERED' : 'LEFT', cause: wasSeen === isSeen ? 'RELATION' : 'ACCESS' },
      ]
    })
  }

  /** Whether the rights after a transaction let a row through. */
  isSeenAt(row: AnyRow, ordinal: number): boolean {
    return this.#is.isSeenAt(row, ordinal)
  }

  /** Whether a row of which only these values are known may be asked for, before the transaction at hand or after it. */
  mayBeAskedFor(values: AnyRow): boolean {
    return [this.#before, this.#after].some(({ tests }) =>
      [tests.rows, tests.where].every((test) => test === null || (test(values) & TRUE) !== 0),
    )
  }

  /** With the rows that hear of related rows and are there after the transaction, though nothing moved or wrote them. */
  heard(
    changes: RelatedChanges,
    { moved, rows, ordinal }: { readonly moved: readonly MovedRow[] } & RowsOf,
  ): readonly MovedRow[] {
    const movedRows = new Set(moved.map(({ row }) => row))
    const entered = moved.map((each) => ({
      ...each,
      heard: each.transition === 'LEFT' ? NOTHING_HEARD : changes.ofRead(each.row),
    }))
    const others = this.among(rows, ordinal).flatMap((row): MovedRow[] => {
      if (movedRows.has(row)) return []
      const heard = changes.ofRead(row)
      return heard.viaCount === 0 ? [] : [{ row, transition: 'STAYED', cause: 'INCLUDED', heard }]
    })
    return [...entered, ...others]
  }

  /** Which rows have to be looked at: those of a decided transaction, and those that hear of related rows. */
  requestWith({ request }: DecidedTransaction, changes: Pick<RelatedChanges, 'request'>): RowRequest | null {
    const hearing = changes.request
    if (hearing === null) return request
    const { keyed } = hearing
    if (request === null)
      return { model: this.#model, keyed, areMoved: true, narrowedBy: allOf(this.#conditions) }
    return { ...request, keyed: request.keyed && keyed && [...request.keyed, ...keyed] }
  }

  /** The rows that may be in sight after a transaction: by the keys of its sets, where the condition lets them be named. */
  candidates(ordinal: number): RowRequest {
    const condition = allOf(this.#conditions)
    const keyed = coverOf(condition, (set) => this.#keys.keysAt(set, ordinal))
    return { model: this.#model, keyed, narrowedBy: condition }
  }

  /** The rows that are in sight after a transaction, of these. */
  among(rows: readonly AnyRow[], ordinal: number): readonly AnyRow[] {
    return rows.filter((row) => this.#is.isSeenAt(row, ordinal) && this.#is.isAskedForAt(row, ordinal))
  }
}

interface RowsOf {
  /** As they were after the transaction. */
  readonly rows: readonly AnyRow[]
  readonly ordinal: number
}

/** Which rows may be seen, and are asked for, after a transaction. */
interface RowSight {
  readonly isSeenAt: (row: AnyRow, at: number) => boolean
  readonly isAskedForAt: (row: AnyRow, at: number) => boolean
}

function sightOf({ rows = null, where = null }: Partial<ChangeConditions>, sets: KeySets): RowSight {
  return { isSeenAt: holdsAt(rows, sets), isAskedForAt: holdsAt(where, sets) }
}

function rowConditions({ rows, where }: Partial<ChangeConditions>): readonly Condition[] {
  return [rows, where].filter((part) => part !== null && part !== undefined)
}

/** What cannot be judged is not shown. */
function holdsAt(condition: Condition | null, sets: KeySets): (row: AnyRow, at: number) => boolean {
  if (condition === null) return () => true
  const test = compileAt(condition, sets)
  return (row, at) => test(row, at) === TRUE
}
