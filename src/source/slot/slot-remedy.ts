/**
 * Stage 5, source. What a failure asks for before the next attempt: nothing, a fresh slot, or to let the slot go;
 * and whether changes may be missing after it. Pure, a complete table.
 */
import type { RowcastError } from '../../errors.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import type { GapReason } from '../published/continuity.ts'

/**
 * What to do when the slot is lost. `recreate`: make a fresh one and notify every subscriber that changes may be
 * missing. `stop`: change nothing in the database, be not ready, and wait for a person.
 */
export type SlotLostPolicy = 'recreate' | 'stop'

/** What the next attempt begins with. */
export interface Remedy {
  /** Changes may be missing, and why; null: none can be. */
  readonly gap: GapReason | null
  readonly isSlotToDrop: boolean
  readonly isSlotToCreate: boolean
}

/** Nothing. */
export const NO_REMEDY: Remedy = { gap: null, isSlotToDrop: false, isSlotToCreate: false }

/** Decides. `hasStreamed`: this process has streamed from the slot before, so that it must have been there. */
export function remedyFor(error: RowcastError, policy: SlotLostPolicy, hasStreamed: boolean): Remedy {
  const isRecreating = policy === 'recreate'
  // Verdicts of ours come from the catalog; an error with an SQLSTATE may mean something else at this moment.
  const isVerdict = sqlstateOf(error) === null
  switch (error.code) {
    case 'SOURCE_SLOT_INVALIDATED':
      if (!isVerdict) return NO_REMEDY
      // Whoever made it on the standby has to make it again: we make none there, and dropping it would hide why it was lost.
      if (error.details['isOnStandby'] === true) return { ...NO_REMEDY, gap: 'slot-lost' }
      return { gap: 'slot-lost', isSlotToDrop: isRecreating, isSlotToCreate: isRecreating }
    case 'SOURCE_SLOT_MISSING':
      if (!isVerdict || !hasStreamed) return NO_REMEDY
      return { gap: 'slot-dropped', isSlotToDrop: false, isSlotToCreate: isRecreating }
    case 'SOURCE_PUBLICATION_MISSING':
      // From the decoder: the slot stands before the publication and can never get past that position.
      if (!isVerdict)
        return { gap: 'publication-dropped', isSlotToDrop: isRecreating, isSlotToCreate: isRecreating }
      return hasStreamed ? { ...NO_REMEDY, gap: 'publication-dropped' } : NO_REMEDY
    case 'SOURCE_PUBLICATION_INCOMPLETE':
      return hasStreamed ? { ...NO_REMEDY, gap: 'table-unpublished' } : NO_REMEDY
    case 'SOURCE_SLOT_OVER_BUDGET':
      return { gap: 'slot-over-budget', isSlotToDrop: true, isSlotToCreate: isRecreating }
    case 'RESYNC_REQUIRED':
      // A gap that nobody could write down.
      return { ...NO_REMEDY, gap: 'publication-changed' }
    default:
      return NO_REMEDY
  }
}
