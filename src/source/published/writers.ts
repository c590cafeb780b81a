/** Stage 5, source. Who is writing to the models' tables at one look. Pure. */
import type { Lsn } from '../../wire/lsn.ts'

/** Ids of which some may be of open transactions whose records have come: none below `from`, and none from `below` on. */
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

/**
 * What a snapshot of a standby, `xmin:xmax:…`, and the age there of id 3 say: null, no snapshot. Its xmax is behind the last id that is over,
 * and whoever has begun since may be above it; the next id there is behind all that were replayed. Source: GetSnapshotData in procarray.c,
 * AdvanceNextFullTransactionIdPastXid in varsup.c.
 */
export function parseOpenXids(snapshot: string | null, ageOfFirst: number): OpenXids | null {
  const [from, xmax] = (snapshot ?? '').split(':')
  if (!from || !xmax) return null
  const below = BigInt(xmax)
  // Of 32 bits, as the age is; never 2^31 ahead.
  const ahead = BigInt.asIntN(32, FIRST_XID + BigInt(ageOfFirst) - below)
  return { from: BigInt(from), below: ahead > 0n ? below + ahead : below }
}

const FIRST_XID = 3n

/** Whether nobody can be writing to the model. */
export function isQuiet({ byModel, open = null }: Writers, model: string): boolean {
  return (byModel.get(model)?.size ?? 0) === 0 && (open === null || open.from >= open.below)
}
