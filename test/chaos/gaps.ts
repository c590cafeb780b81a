/** What a run did to the publication, the tables or the slot: who must be notified of it, and who may be. */
import type { Lsn } from '../../src/wire/lsn.ts'
import type { ChaosModel } from './ledger.ts'

/** Changes of these models may be missing from one position of the WAL to another. */
export interface Gap {
  readonly name: string
  readonly models: readonly ChaosModel[]
  /** Whether every subscriber of them must be notified; else they may be. */
  readonly isCertain: boolean
  readonly fromLsn: Lsn
  /** Where nobody can hear of it any more; null until then. */
  toLsn: Lsn | null
}
