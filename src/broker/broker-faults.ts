/** Beside the bus, broker. What can be wrong with a stream, as errors with what is known of it. */
import { isRowcastError, RowcastError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import { isProgramFault } from '../program-fault.ts'
import { GAP_WORDS } from '../source/published/gap-notices.ts'
import type { ReplicaStatus } from './replica-watch.ts'

/** Why changes may be missing, beyond what a source can meet. */
const BROKER_GAP_WORDS: Readonly<Record<string, string>> = {
  ...GAP_WORDS,
  'broker-lost': 'The broker had lost changes that PostgreSQL does not keep any more.',
  'broker-behind': 'The broker does not have all of what was written before a failover.',
  'broker-unreadable': 'An entry of the broker cannot be read.',
  'broker-trimmed': 'The broker has dropped changes before this process had read them.',
}

/** Whatever was thrown, as an error of ours. */
export function toBrokerError(error: unknown): RowcastError {
  if (error instanceof RowcastError) return error
  if (isProgramFault(error))
    return new RowcastError('BUG', 'Reading or writing the stream failed in rowcast itself.', {
      cause: error,
    })
  return new RowcastError('BROKER_LOST', 'Talking to Redis failed.', { cause: error })
}

/** The same for what ended a stream: what neither Redis nor PostgreSQL has said is a fault of our own, and stands in the log with an id. */
export function nameBrokerFault(guard: Pick<Guard, 'report'>, error: unknown): RowcastError {
  if (!isRowcastError(error)) guard.report('read or write the stream', error)
  return toBrokerError(error)
}

/** Redis was there, and is not any more. */
export function connectionLost(): RowcastError {
  return new RowcastError('BROKER_LOST', 'The connection to Redis was lost.')
}

/** The typed end of subscriptions that may have missed something. @param reason of an epoch, or of a gateway's own */
export function streamGap(reason: string): RowcastError {
  const words = BROKER_GAP_WORDS[reason] ?? 'Changes are missing.'
  return new RowcastError('RESYNC_REQUIRED', words, { details: { reason } })
}

/** Nothing is read of another cluster, whoever gave it our keys. */
export function otherDatabase(found: string, expected: string): RowcastError {
  const happened = 'The stream in Redis is of another database cluster.'
  return new RowcastError('BROKER_OTHER_DATABASE', happened, { details: { found, expected } })
}

/** How long replicas may lack what was accepted before it is reported. */
const REPLICAS_BEHIND_MS = 5_000

/** What replicas that lack what was accepted keep PostgreSQL from forgetting; null: nothing, or not for long. Pure. */
export function replicasBehind(replicas: ReplicaStatus | null): RowcastError | null {
  return replicas !== null && replicas.behindMs >= REPLICAS_BEHIND_MS ? replicasMissing(replicas) : null
}

/** Changes flow, and a failover of Redis may lose the newest: PostgreSQL keeps them meanwhile. */
export function replicasMissing({ wanted, reached, behindMs }: ReplicaStatus): RowcastError {
  return new RowcastError(
    'BROKER_REPLICAS_MISSING',
    `Of Redis' replicas ${reached ?? 0} have what was written, and ${wanted} must.`,
    { details: { wanted, reached, behindMs: Math.round(behindMs) } },
  )
}

/** A server that was taken over from goes on by itself: what it writes exists nowhere else. */
export function oldTimeline(present: number, newest: number): RowcastError {
  return new RowcastError(
    'BROKER_OLD_TIMELINE',
    `The server is on timeline ${present}, and the stream has gone on to timeline ${newest}.`,
    { details: { present, newest } },
  )
}
