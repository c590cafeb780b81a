/** Beside the spine, sets. What a subscription with `initial` gets before its changes, typed by its Prisma model. Types only. */
import type { Transition } from '../bus/filter/judge-change.ts'
import type { ModelTypeMap } from '../catalog/model-catalog.ts'

/** How a subscription begins with the rows there are. */
export interface InitialRows {
  /**
   * Rows that are read at once at the most, in one transaction: 1 to 10,000. Pages begin small, and grow while their rows are small.
   * A model whose key is text has all its rows in one page. @default 500; 10,000 where all is one page
   */
  readonly pageSize?: number | undefined
}

/** A row that no write brought. */
export interface ReadRow<M extends string, Row, Key> {
  readonly action: 'READ'
  readonly model: M
  /**
   * ENTERED: the row is among those that are asked for. STAYED: it is, and has changed since it came. LEFT: it is none of them any
   * more; `new` is null then.
   */
  readonly transition: Transition
  /** Why it comes: INITIAL for the rows that a subscription begins with. */
  readonly cause: 'INITIAL'
  /** The primary key. */
  readonly key: Key
  readonly old: null
  readonly new: Row | null
  readonly changed: readonly never[]
  readonly unavailable: readonly never[]
  /** Nothing can go on after it: RESYNC_REQUIRED. The first that something can go on after is that of READY. */
  readonly cursor: string
}

/** All first rows have come. What follows are changes, from the cursor on. */
export interface ReadyMarker<M extends string> {
  readonly action: 'READY'
  readonly model: M
  readonly cursor: string
}

/** What comes before the changes: narrows by `action`. */
export type FirstRow<Types extends ModelTypeMap, M extends keyof Types & string> = {
  [Name in M]: ReadRow<Name, Types[Name]['row'], Types[Name]['key']> | ReadyMarker<Name>
}[M]
