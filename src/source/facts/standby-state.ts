/** Stage 5, source. A standby that has the slot, beside its primary. */
import type { SystemIdentity } from '../../wire/replication-connection.ts'
import { serverFactsSql } from './server-facts.ts'

/** A standby and its primary, at one look. */
export interface StandbyState {
  readonly isInRecovery: boolean
  readonly serverVersion: number
  /** hot_standby_feedback: whether the primary keeps rows of the catalogs that the slot needs. */
  readonly hasFeedback: boolean
  /** What the standby says of itself on a replication connection, where one was had: its timeline is in no catalog. @default it was not asked */
  readonly identity?: Pick<SystemIdentity, 'systemId' | 'timeline'> | undefined
  readonly primary: Pick<SystemIdentity, 'systemId'> & {
    /** Null: what should be the primary is a standby itself. */
    readonly timeline: number | null
  }
}

/** What the primary says of itself. */
export const PRIMARY_SQL = `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemId",
         ${serverFactsSql(['timeline'])}`
