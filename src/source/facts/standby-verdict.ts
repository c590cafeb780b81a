/** Stage 5, source. Whether a standby can have the slot, and whether what it sends is what its primary writes. Pure. */
import { RowcastError } from '../../errors.ts'
import type { SystemIdentity } from '../../wire/replication-connection.ts'
import type { StandbyState } from './standby-state.ts'

/** From here on a standby has slots of its own. */
const STANDBY_VERSION_MIN = 160_000

/** What keeps a standby from having the slot, whatever it is a standby of; null: nothing. */
export function judgeStandby({
  serverVersion,
  primary,
}: Pick<StandbyState, 'serverVersion' | 'primary'>): RowcastError | null {
  if (primary.timeline === null)
    return new RowcastError(
      'SOURCE_STANDBY_SERVER',
      'The database address is that of a standby, beside `replicationUrl`.',
      {
        hint: 'Let DATABASE_URL name the primary, and `replicationUrl` the standby.',
      },
    )
  if (serverVersion >= STANDBY_VERSION_MIN) return null
  return new RowcastError(
    'SOURCE_STANDBY_UNSUPPORTED',
    `The server of \`replicationUrl\` has version ${serverVersion}.`,
  )
}

/** Why what the standby sends is not what this primary writes; null: it is. */
export function judgeStandbyIdentity(
  { primary }: Pick<StandbyState, 'primary'>,
  { systemId, timeline }: Pick<SystemIdentity, 'systemId' | 'timeline'>,
): RowcastError | null {
  if (primary.systemId !== systemId)
    return mismatch('The server of `replicationUrl` belongs to another cluster.')
  if (primary.timeline === timeline) return null
  return mismatch(
    `The server of \`replicationUrl\` is on timeline ${timeline}, the primary on ${primary.timeline}.`,
  )
}

/** What has become of them since the stream began; null: nothing. */
export function judgeStandbyDrift(was: StandbyState, is: StandbyState): RowcastError | null {
  if (was.isInRecovery !== is.isInRecovery)
    return mismatch('The standby that sends the changes was promoted.')
  const isSame = was.primary.timeline === is.primary.timeline && was.primary.systemId === is.primary.systemId
  if (!isSame) return mismatch('Another server is the primary now.')
  // One that follows another standby goes on with that when it is promoted, and is a standby still.
  return is.identity === undefined ? null : judgeStandbyIdentity(is, is.identity)
}

function mismatch(happened: string): RowcastError {
  return new RowcastError('SOURCE_STANDBY_MISMATCH', happened)
}
