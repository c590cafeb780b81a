/** Stage 5, source. A standby that has the slot, beside its primary. */
import type { SystemIdentity } from '../../wire/replication-connection.ts'

/** A standby and its primary, at one look. */
export interface StandbyState {
  readonly isInRecovery: boolean
  readonly serverVersion: number
  /** hot_standby_feedback: whether the primary keeps rows of the catalogs that the slot needs. */
  readonly hasFeedback: boolean
  readonly primary: Pick<SystemIdentity, 'systemId'> & {
    /** Null: what should be the primary is a standby itself. */
    readonly timeline: number | null
  }
}
