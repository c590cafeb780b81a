/** Stage 5, source. Who is writing to the models' tables at one look. Pure. */
import type { Lsn } from '../../wire/lsn.ts'

/** Ids of which some may be of open transactions: none below `from`, and none from `below` on. */
export interface OpenXids {
  readonly from: bigint
  readonly below: bigint
}

/** Open transactions that hold locks of writers. */
export interface Writers {
  /** By model; names are pg_locks.virtualtransaction. */
  readonly byModel: ReadonlyMap<string, ReadonlySet<string>>
  /** All transactions that were over by then have committed before it. */
  readonly lsn: Lsn
  /** Of a standby that was asked, which knows of no locks of writers: whoever is open may be one. @default null: of a primary */
  readonly open?: OpenXids | null | undefined
}

/** Whether nobody can be writing to the model. */
export function isQuiet({ byModel, open = null }: Writers, model: string): boolean {
  return (byModel.get(model)?.size ?? 0) === 0 && (open === null || open.from >= open.below)
}
