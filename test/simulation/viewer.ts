/**
 * A client that has a set of rows: it begins with those there are, and folds what comes: a row that is there is put at its key, one
 * that left is taken out.
 */
import { asksRelatedRows, type ChangeFilter, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { ChangeEvent, EventSubscription } from '../../src/sets/row-subscription.ts'
import type { Database, Row } from './database.ts'
import { FoldingClient, type FoldingParts } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'
import { differenceOf, findRows, type Where } from './rows-where.ts'
import type { View } from './views.ts'

/** The viewer. */
export class Viewer extends FoldingClient<ChangeEvent> {
  protected readonly view: View
  protected readonly model: ModelSpec
  readonly #rows = new Map<number, Row>()
  /** The transaction that it has had something of, and not all. */
  #within: bigint | null = null

  constructor(view: View, parts: FoldingParts) {
    super(parts)
    this.view = view
    this.model = parts.catalog.models[view.model] as ModelSpec
  }

  protected open(face: ReaderFace): EventSubscription {
    const { where, rows } = this.view
    const filter = this.filterOf(rows)
    const request = { model: this.model.name, filter }
    const conditions = rows === null ? [where] : [where, rows]
    const after = this.cursor
    if (after === null) return face.subscribeRows({ ...request, refused: {}, conditions })
    return asksRelatedRows(filter)
      ? face.subscribeRelated({ ...request, filter, after })
      : face.subscribeDeliveries({ ...request, after })
  }

  /** What it asks for, of the rows that it may see. */
  protected filterOf(rows: Where | null): ChangeFilter | null {
    const parse = (given: object) => parseWhere(this.model, this.parts.catalog, given, { relations: {} })
    return createChangeFilter({ where: parse(this.view.where), rows: rows === null ? null : parse(rows) })
  }

  /** The rows that it may see behind a position; null: all. */
  protected rightsAt(_database: Database, _lsn: bigint): Where | null {
    return this.view.rows
  }

  protected receive(event: ChangeEvent): void {
    const { change, isLastOfTransaction } = event
    const { transaction, cursor, action } = change
    if (this.isReady && transaction !== null && transaction.commitLsn !== this.#within) {
      this.check(cursor, transaction.commitLsn - 1n)
      this.#within = transaction.commitLsn
    }
    this.#fold(event)
    if (action === 'READY') {
      this.isReady = true
      this.#within = null
    }
    if (!this.isReady) return
    this.cursor = cursor
    if (action === 'READY' || isLastOfTransaction) this.check(cursor)
  }

  #fold({ change, transition, hidesNew }: ChangeEvent): void {
    if (change.action === 'READY') return
    if (change.action === 'TRUNCATE') this.#rows.clear()
    const { key, new: row } = change
    if (row !== null && transition !== 'LEFT' && !hidesNew) this.#rows.set(Number(key?.['id']), row as Row)
    else if (key !== null) this.#rows.delete(Number(key['id']))
  }

  protected forget(): void {
    this.#rows.clear()
    this.#within = null
  }

  protected differenceAt(database: Database, lsn: bigint): string | null {
    const { where } = this.view
    const rows = this.rightsAt(database, lsn)
    const rowsOf = (model: string) => database.rowsAt(model, lsn)
    const query = { where: { AND: rows === null ? [where] : [where, rows] }, orderBy: [{ id: 'asc' }] }
    const wanted = findRows({ catalog: this.parts.catalog, rowsOf }, this.model.name, query)
    const has = [...this.#rows.values()].sort((a, b) => Number(a['id']) - Number(b['id']))
    return differenceOf(has, wanted)
  }
}
