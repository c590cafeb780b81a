/** Beside the spine, sets. What a kept set is made of, and what it shows. Types only. */
import type { Delivery } from '../bus/bus.ts'
import type { TurnShare } from '../bus/turn-share.ts'
import type { TransactionInfo } from '../changes/change.ts'
import type { FollowedModel } from './changes-of-models.ts'
import type { Fence } from './fence.ts'
import type { IncludedRelation } from './included-relation.ts'
import type { StepEffect } from './ordered-window.ts'
import type { ReadBudget } from './read-budget.ts'
import type { ReadRelation } from './read-relation.ts'
import type { SetStep } from './set-step.ts'
import type { VerdictTest } from './unsure-steps.ts'
import type { KeptPatch, UntakenPatches } from './untaken-patches.ts'

/** What is kept. */
export interface KeptView<Loaded, Shown> {
  /** @param isFollowed whether it was heard of all changes since it was read before */
  reset(loaded: Loaded, isFollowed: boolean): void
  empty(): void
  apply(step: SetStep): StepEffect
  /** The same of a row of which only the database knows whether it is one of them: it is if it was, or is gone. */
  applyUnsure(step: SetStep): StepEffect
  /** Whether a related row that has changed is, or was, one of a row that is kept. @default never */
  isConcerned?(delivery: Delivery, relations: readonly IncludedRelation[]): boolean
  /** Has those rows shown again. @returns whether there are any */
  touch?(delivery: Delivery, relations: readonly IncludedRelation[]): boolean
  /** Whether a change may have others than those of the relations that were read with the rows. @default never */
  isOutdated?(delivery: Delivery, asked: readonly ReadRelation[]): boolean
  /** It as it is now; nothing changes it later. */
  shown(): Shown
  /** What it holds, by estimate. */
  readonly bytes: number
}

/** Where it stands. */
export interface KeptState<Shown> {
  readonly shown: Shown
  /** All that stands before it is in what is shown, and nothing behind it. */
  readonly cursor: string
  /** The last transaction that had a part in it; null where none has come yet, or only the database knows which had. */
  readonly transaction: TransactionInfo | null
  /**
   * The last ones that had a part in it, in their order, so that whoever made one of them knows that it is in: beside `transaction` those that were shown
   * together with it, or not long ago. None where only the database knows which had.
   */
  readonly transactions: readonly TransactionInfo[]
  /** Both in the shape that fields of transactions take. */
  readonly change: { readonly cursor: string; readonly transaction: TransactionInfo | null }
}

/** What has been read. */
export interface KeptRead<Loaded> {
  readonly loaded: Loaded
  readonly fence: Fence
  /** How long the database took. */
  readonly tookMs: number
  /** What it takes in memory, by estimate. */
  readonly bytes: number
}

/** What a kept set is made with. */
export interface KeptSetParts<Loaded, Shown, Event> {
  /** See `Rowcast.changeCursor`. */
  readonly changeCursor: () => Promise<string>
  /** The changes that it depends on, after the cursor. */
  readonly subscribe: (after: string) => readonly FollowedModel[]
  /** Resolves once a transaction can be seen by queries, or nobody waits any more. @throws what keeps that from being known */
  readonly whenVisible: (xid: number) => Promise<void>
  readonly read: (signal: AbortSignal) => Promise<KeptRead<Loaded>>
  readonly view: KeptView<Loaded, Shown>
  /** Whether every change may concern it, and only the database knows how: of what other rows decide about. */
  readonly isAskedAgain: boolean
  /** Where the database may judge rows otherwise: of which changes its verdict is known to stay. @default what is judged here counts */
  readonly isVerdictSame?: VerdictTest | undefined
  /** Whether it is not known which transactions had a part in what is shown: others may have written what the viewer may not see. */
  readonly isAnonymous: boolean
  readonly snapshotOf: (state: KeptState<Shown>) => Event
  /** Null where nothing has changed. */
  readonly patchOf: (before: Shown, state: KeptState<Shown>) => KeptPatch<Event> | null
  /** Least time between two patches. */
  readonly everyMs: number
  /** What it may cost, and has: of the same one before, too. */
  readonly budget: ReadBudget
  readonly monotonicMs: () => number
  readonly wait: (ms: number) => Promise<void>
  /** Turns of all of them: what one change causes in a thousand lists is not done in one. */
  readonly turns: Pick<TurnShare, 'wait' | 'isOver'>
  /** What has not been taken of all of them. */
  readonly untaken: UntakenPatches
  readonly counters: KeptCounters
  /** Nobody is there any more. */
  readonly onEnded: () => void
  /** How many bytes it holds now. @throws LIST_TOO_COSTLY */
  readonly weigh: (bytes: number) => void
}

/** What all of them cost. */
export interface KeptCounters {
  reads: number
  readMs: number
  snapshots: number
  patches: number
  /** How late patches were, all together. */
  shownLateMs: number
}
