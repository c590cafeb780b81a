/** Stage 6, bus. Why a subscription got a change or did not: steps on the way, each with what came of it. Types only. */

/** A step on a change's way, in order. */
export type ExplanationStage = 'decoded' | 'published' | 'allowed' | 'matched' | 'queued' | 'sent'

/** What came of one step. */
export interface ExplanationStep {
  readonly stage: ExplanationStage
  /** Whether the change got past it; null where that is not known. */
  readonly isPassed: boolean | null
  /** One sentence: names of models, fields and conditions, never a value. */
  readonly text: string
}

/** The steps up to the one where the change went no further. */
export interface Explanation {
  /** Whether a subscription of this kind that is open at the change gets it; null where that is not known. */
  readonly isWanted: boolean | null
  /** The sentence that says it all: that of the last step. */
  readonly reason: string
  readonly steps: readonly ExplanationStep[]
}

/** How far open subscriptions of one label are with a change. */
export interface LabelProgress {
  /** Their connection, or their loop, has taken it. */
  readonly sent: number
  readonly waiting: number
  /** They began after it. */
  readonly beganLater: number
}
