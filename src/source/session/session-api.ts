/** Stage 5, source. What the worker needs of the stream that is running, or was. */
import type { RowcastError } from '../../errors.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import type { IdentityKeeper } from '../watch/identity-keeper.ts'
import type { PublicationGuard } from '../watch/publication-guard.ts'
import type { RelayFeed } from '../watch/session-relay.ts'
import type { WatchHealth } from '../watch/watch-health.ts'
import type { StreamPosition } from './ack-state.ts'
import type { PreparedStream } from './slot-preparation.ts'
import type { SlotHealth } from './source-status.ts'

/** What a stream works with, connection after connection. */
export interface StreamSession {
  readonly position: StreamPosition
  /** The slot at the last look; null before the first. */
  readonly slotHealth: SlotHealth | null
  /** What the models' tables log of former rows. */
  readonly identities: Pick<IdentityKeeper, 'faults'>
  /** How long WAL has been waiting, at the last look, without any of it coming. 0 while it comes. */
  readonly stalledMs: number
  /** Whether a transaction has come whole since the stream began. */
  readonly hasDelivered: boolean
  /** Whether the watch sees anything. */
  readonly watchHealth: Pick<WatchHealth, 'failures' | 'fault'>
  /** Whether subscriptions from before may still turn out to have missed something. */
  readonly publication: Pick<PublicationGuard, 'isSettling'>
  /** The catalog may have changed: looks at it now. */
  look(): void
  /** What a relay reports to the stream. */
  readonly relayFeed: RelayFeed
  /**
   * Starts a prepared stream, or behind a transaction that is to be passed over; `onStarted` is called once the server has begun, before its first message, and answers
   * whether all subscriptions begin with it.
   * @throws PostgresError when the server refuses
   */
  stream(
    connection: ReplicationConnection,
    prepared: PreparedStream,
    onStarted: (prepared: PreparedStream) => boolean,
  ): Promise<void>
  /** What ended the running stream; faults of our own get a name. */
  nameFault(error: Error): Error
  /** After an error of the running stream: chooses another form, in which PostgreSQL may be able to send what it could not. */
  adapt(error: RowcastError): boolean
  /** The same error, or one that says which change cannot be sent and how to get past it. */
  explain(error: RowcastError): RowcastError
  /**
   * Resolves once the connection is over and a broker has what came of it, as far as it takes that within a second.
   * @returns why it is over; null: as was asked for
   */
  ended(connection: ReplicationConnection, signal: AbortSignal): Promise<Error | null>
  /** Nothing more is expected of it. */
  end(): void
}
