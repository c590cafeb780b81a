/** Beside the spine, client. Rows as the server has them, shown with what this client has changed and the server has not shown yet. */
import type { ListChange, ListShape } from './apply-change.ts'
import type { LiveList } from './live-list-api.ts'
import { OwnMutations, type Settled, type SettledOptions } from './own-mutations.ts'
import { Shown } from './shown-state.ts'

/** What is shown of them. */
interface RowsState<Row extends object> {
  readonly rows: readonly Row[]
  readonly status: string
  readonly error: unknown
}

/** Those of one list, whoever keeps it. */
export abstract class ShownRows<Row extends object, State extends RowsState<Row>>
  extends Shown<State>
  implements Pick<LiveList<Row>, 'newMutationId' | 'show' | 'revert' | 'settled'>
{
  protected readonly own = new OwnMutations<Row>()
  readonly #shape: ListShape<Row>
  #rows: readonly Row[] = []

  /** @param shape how changes are applied that are shown before they have come */
  constructor(first: State, shape: ListShape<Row>) {
    super(first)
    this.#shape = shape
  }

  /** As the server has them. */
  protected get rows(): readonly Row[] {
    return this.#rows
  }

  newMutationId(): string {
    return this.own.create()
  }

  show(mutationId: string, changes: ListChange<Row> | readonly ListChange<Row>[]): void {
    this.own.show(mutationId, 'action' in changes ? [changes] : changes)
    this.showRows(this.#rows)
  }

  revert(mutationId: string): void {
    this.own.revert(mutationId)
    this.showRows(this.#rows)
  }

  settled(mutationId: string, options: SettledOptions = {}): Promise<Settled> {
    const settled = this.own.settled(mutationId, options, () => this.showRows(this.#rows))
    this.showRows(this.#rows)
    return settled
  }

  /** Shows them, with what is shown before it has come. @param more what differs beside */
  protected showRows(rows: readonly Row[], more: Partial<State> = {}): void {
    this.#rows = rows
    const shown = this.own.over(rows, this.#shape)
    if (shown !== this.shown.value.rows) this.shown.change({ ...more, rows: shown })
    else if (Object.keys(more).length > 0) this.shown.change(more)
  }

  protected override end(error: unknown): void {
    if (this.ending.signal.aborted) return
    this.own.end(error)
    super.end(error)
  }
}
