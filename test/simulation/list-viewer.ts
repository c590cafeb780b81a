/** A client that has a live list: it takes it whole, and applies the operations of each patch one after the other. */
import type { ListPatch, ListSnapshot } from '../../src/rowcast-lists-api.ts'
import type { Database, Row } from './database.ts'
import { FoldingClient, type FoldingParts } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'
import { differenceOf, findRows } from './rows-where.ts'
import type { ListOfRows } from './views.ts'

type ListEvent = ListSnapshot<Row> | ListPatch<Row, Row>

/** The viewer. */
export class ListViewer extends FoldingClient<ListEvent> {
  readonly #list: ListOfRows
  #rows: Row[] = []
  #total: number | null = null

  constructor(list: ListOfRows, parts: FoldingParts) {
    super(parts)
    this.#list = list
  }

  protected open(face: ReaderFace): AsyncIterableIterator<ListEvent> {
    const { model, where, orderBy, take, totalCount } = this.#list
    return face.list(model, {
      where,
      orderBy,
      take,
      totalCount,
    } as object) as AsyncIterableIterator<ListEvent>
  }

  protected receive(event: ListEvent): void {
    this.#total = event.totalCount
    if (event.kind === 'snapshot') this.#rows = [...event.rows]
    else for (const operation of event.operations) this.#apply(operation)
    this.isReady = true
    this.check(event.cursor)
  }

  #apply({ kind, key, index, row }: ListPatch<Row, Row>['operations'][number]): void {
    if (kind === 'MOVE') this.#rows = this.#rows.filter((each) => each['id'] !== key['id'])
    if (kind === 'UPDATE') this.#rows.splice(index, 1, row as Row)
    else if (kind === 'REMOVE') this.#rows.splice(index, 1)
    else this.#rows.splice(index, 0, row as Row)
  }

  protected forget(): void {
    this.#rows = []
  }

  protected differenceAt(database: Database, lsn: bigint): string | null {
    const { model, where, orderBy, take, totalCount } = this.#list
    const rowsOf = (name: string) => database.rowsAt(name, lsn)
    const query = { where, orderBy: [...orderBy, { id: 'asc' }] }
    const found = findRows({ catalog: this.parts.catalog, rowsOf }, model, query)
    const difference = differenceOf(this.#rows, found.slice(0, take))
    if (difference !== null || !totalCount || this.#total === found.length) return difference
    return `counts ${this.#total} and not ${found.length}`
  }
}
