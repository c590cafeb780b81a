/** Sets, between stages 6 and 7. What a subscription whose conditions ask other rows is asked for, and what it lives in. Types only. */
import type { SubscriptionRequest } from '../bus/bus.ts'
import type { BusObserver } from '../bus/bus-observer.ts'
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { History } from '../bus/history.ts'
import type { Account } from '../bus/holdings.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow, ChangeAction } from '../changes/change.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { HeldPages } from './held-pages.ts'
import type { IncludedRelation } from './included-relation.ts'
import type { KeySetReading } from './key-set.ts'
import type { RelatedAudiences } from './related-audiences.ts'
import type { RelatedReadsCost } from './related-row-reader.ts'
import type { Rights } from './rights.ts'
import type { SetGraph } from './set-graph.ts'

/** What one subscription asks for. */
export interface RelatedRequest {
  readonly model: ModelSpec
  readonly filter: ChangeFilter
  /** All models that its sets are made of, and those of included relations; its own not included unless they ask it as well. */
  readonly setModels: ReadonlySet<string>
  /** Which writes come. @default all */
  readonly actions?: readonly ChangeAction[] | undefined
  /** Whether rows come that no write brought, and not only writes. */
  readonly asksForRows: boolean
  /** Relations whose changes are heard of; with `asksForRows`. @default none */
  readonly include?: readonly IncludedRelation[] | undefined
  /** Whether it begins with the rows there are; where it goes on after a cursor, it does not. */
  readonly isInitial?: boolean | undefined
  /** Where the filter follows what code answers: what it answers now, and what that depends on. */
  readonly rights?: Rights | undefined
  readonly after?: string | undefined
  /** Whether of what it has not taken the latest event of each row is kept, and nothing else. @default false */
  readonly conflates?: boolean | undefined
  /** Of the client that asks. */
  readonly account?: Account | undefined
}

/** The same, as it is asked for from outside. */
export interface RelatedRowsRequest
  extends Pick<SubscriptionRequest, 'model' | 'actions' | 'after' | 'overflow' | 'account' | 'signal'> {
  /** Null where every change is asked for, and rights decide. */
  readonly filter: ChangeFilter | null
  /** Where the filter follows what code answers: what it answers now, and what that depends on. */
  readonly rights?: Rights | undefined
  /** Relations whose changes are heard of. @default none */
  readonly include?: readonly IncludedRelation[] | undefined
  /** Whether it begins with the rows there are. */
  readonly isInitial?: boolean | undefined
}

/** What it lives in. */
export interface RelatedHost {
  /** Null where there is no stream. */
  readonly history: History | null
  /** The sets that all share. Null where there is no stream. */
  readonly graph: SetGraph | null
  readonly reading: RelatedReading
  /** Those who ask for the same, together. */
  readonly audiences: RelatedAudiences
  /** Whether other processes read the same stream: one that is ahead of this may have given a cursor. */
  readonly isShared: boolean
  /** Resolves once all that committed up to the position has come. @throws RESYNC_REQUIRED where it does not */
  whenReached(commitLsn: Lsn): Promise<void>
  /**
   * Resolves once the shared sets have been asked to take all that committed up to the position: a stream begins before what committed
   * while nobody was there. @throws RESYNC_REQUIRED
   */
  whenCome(ordinal: number): Promise<void>
  /** Resolves once the shared sets have taken all that had committed when it was called. @throws RESYNC_REQUIRED */
  whenCurrent(model: ModelSpec): Promise<void>
  /** It has everything there is. */
  caughtUp(subscription: object): void
  /** Something has come that concerns it. */
  fellBehind(subscription: object): void
  /** It has ended: with this error, or in order. */
  forget(subscription: object, error: Error | null): void
}

/** How rows are read, and where they are counted that have been read and not been taken. */
export interface RelatedReading extends KeySetReading {
  readonly held: HeldPages
  /** Resolves once queries see all up to a transaction. @default nobody's rights can be asked for again @throws RESYNC_REQUIRED */
  readonly whenVisible?: ((ordinal: number, model: string) => Promise<void>) | undefined
  readonly bytesOf: (rows: readonly AnyRow[]) => number
  /** Who hears that one begins, has ended, and what of it is never given. @default nobody */
  readonly observer?: Pick<BusObserver, 'onDropped' | 'onSubscribed' | 'onSubscriptionEnded'> | undefined
  /** What reads have cost so far. @default nobody counts them */
  readonly cost?: (() => RelatedReadsCost) | undefined
  /** A position behind all that has committed when it is asked. @default it is not known */
  readonly endLsn?: ((model: ModelSpec) => Promise<Lsn>) | undefined
}

/** What conditions on related rows hold, and have cost. */
export interface RelatedRowsCost {
  /** Conditions that are kept, each once however many ask it. */
  readonly sets: number
  /** Their keys, as the bound of all counts them. */
  readonly keys: number
  /** Times that the database was asked for related rows; what many share counts once. */
  readonly reads: number
  /** How long it took for that. */
  readonly readMs: number
}
