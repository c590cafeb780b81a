/** A client that has totals: how many rows there are, and of their `n` the sum, the least and the greatest. */
import type { Totals } from '../../src/rowcast-lists-api.ts'
import type { Database, Row } from './database.ts'
import { FoldingClient, type FoldingParts } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'
import { findRows } from './rows-where.ts'
import type { View } from './views.ts'

type TotalsOfN = Totals<{ readonly n: number }, 'n', 'n', 'n', unknown>

/** The viewer. */
export class TotalsViewer extends FoldingClient<TotalsOfN> {
  readonly #view: View
  #has = ''

  constructor(view: View, parts: FoldingParts) {
    super(parts)
    this.#view = view
  }

  protected open(face: ReaderFace): AsyncIterableIterator<TotalsOfN> {
    const { model, where } = this.#view
    const options: object = { where, sum: ['n'], min: ['n'], max: ['n'] }
    return face.totals(model, options) as AsyncIterableIterator<TotalsOfN>
  }

  protected receive({ count, sum, min, max, cursor }: TotalsOfN): void {
    this.#has = textOf([count, sum.n, min.n, max.n])
    this.isReady = true
    this.check(cursor)
  }

  protected forget(): void {
    this.#has = ''
  }

  protected differenceAt(database: Database, lsn: bigint): string | null {
    const { model, where } = this.#view
    const rowsOf = (name: string) => database.rowsAt(name, lsn)
    const rows: readonly Row[] = findRows({ catalog: this.parts.catalog, rowsOf }, model, { where })
    const all = rows.map(({ n }) => Number(n))
    const totals = [all.reduce((sum, n) => sum + n, 0), Math.min(...all), Math.max(...all)]
    const wanted = textOf([all.length, ...(all.length === 0 ? [null, null, null] : totals)])
    return this.#has === wanted ? null : `has ${this.#has} and not ${wanted}`
  }
}

/** Count, sum, least, greatest. */
function textOf(totals: readonly (number | null)[]): string {
  return totals.join(' ')
}
