/** Stage 5, source. Who hears what the publication guard finds. */
import type { ChangePosition } from '../../changes/change-position.ts'
import type { RowcastError } from '../../errors.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { LastChangesKeeper } from '../published/last-changes.ts'
import type { ModelTableListener, ModelTableState } from '../setup/model-tables.ts'

/** Changes of a model may be missing. */
export interface PublicationCut {
  /** Its cursors from before are no good any more; null: from before now, and no restart will know of it. */
  readonly position: ChangePosition | null
  /** Subscriptions that began before it end with the error. */
  readonly cleanFrom: Lsn
  readonly error: RowcastError
}

/** Who hears of it. */
export interface PublicationListener extends ModelTableListener {
  /** Changes of the model may be missing. */
  onCut(model: string, cut: PublicationCut): void
  /** Takes what a process before this one knew. @default nobody does */
  readonly lastChanges?: Pick<LastChangesKeeper, 'recall' | 'endRecall'> | undefined
  /** The models' tables stand otherwise. */
  onTables(tables: readonly ModelTableState[]): void
  /** The catalog is to be looked at now. */
  onEvidence(): void
  /** A reason to wait may be over. */
  onProgress(): void
}
