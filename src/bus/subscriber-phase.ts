/** Stage 6, bus. Where a subscriber gets its changes from, and how far it is there. */
import type { ChangePosition } from '../changes/change.ts'

/** Where one that reads the log is. */
export interface ReadingPosition {
  /** Sequence number of the part it reads next, and the offset in it. */
  sequence: number
  offset: number
  /** Everything up to here has been offered to it. */
  after: ChangePosition
  /** Whether its queue has room, and its consumer wants more. */
  isHungry: boolean
  /** When it was last given something. */
  servedAtMs: number
  /** Where it was when the round of `AwaitedReaders` began, and whether the source waits for it no more. */
  round: { readonly from: number; readonly waiting: number } | null
  isLeft: boolean
}

/** Where one is that reads what is older than the log. */
export interface OlderPosition {
  /** Everything up to here has been offered to it; null: nothing has, and it wants all there is. */
  after: ChangePosition | null
  isHungry: boolean
  /** It wants all there is, and nothing of its model has been found yet: nobody knows what lay before. */
  seeksBeginning: boolean
}

/** Where a subscription gets its changes from now. */
export type Phase =
  /** From nowhere: no stream has begun. */
  | { readonly kind: 'waiting' }
  /** As they are published. */
  | { readonly kind: 'live' }
  | { readonly kind: 'log'; readonly at: ReadingPosition }
  | { readonly kind: 'older'; readonly at: OlderPosition }
