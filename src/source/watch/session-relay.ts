/**
 * Stage 5, source. Where a stream's messages go when they are not for this process: a broker takes them over, and says
 * afterwards, in its own time, what it has. The source confirms nothing to PostgreSQL before that.
 */

import type { Buffer } from 'node:buffer'
import type { StreamOrigin } from '../../changes/change-position.ts'
import type { EmittedMessage } from '../../changes/emitted-message.ts'
import type { RowcastError } from '../../errors.ts'
import type { BeginMessage } from '../../pgoutput/messages.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { Continuity, StreamPast } from '../published/continuity.ts'
import type { PublishedModel } from '../published/published-tables.ts'
import type { ModelTableState } from '../setup/model-tables.ts'
import type { StreamStart } from './session-start.ts'

/** What a relay reports to the stream that feeds it. */
export interface RelayFeed {
  /** A transaction has begun to arrive. */
  onBegin(begin: BeginMessage): void
  /** All that committed before it is visible to queries. */
  seenNow(): Lsn
  /** A message of ours has come, and has been handed over. */
  onOwnMessage(message: EmittedMessage): void
  /** The next rows of the model come from the table of this OID. */
  onTable(model: string, oid: number): void
  onDoubt(model: string): void
  /** Everything before `lsn` has been handed over. */
  onHandedOver(lsn: Lsn): void
  /** Everything before `lsn` is with the broker, which may lose it yet. */
  onWritten(lsn: Lsn): void
  /** Everything before `lsn` is safe with the broker. */
  onAccepted(lsn: Lsn): void
  /** Whether too much waits to be taken: reading pauses, reports to PostgreSQL go on. */
  onPressure(isFull: boolean): void
  /** The broker is gone or no longer ours: the stream has to begin again, from what the broker has by then. */
  onFailure(error: RowcastError): void
}

/** Where the changes end that the broker has. */
export interface RelayPast {
  /** Null: it has none. */
  readonly past: StreamPast | null
  /** What the process that wrote them knew there; null: that is not known. */
  readonly known: KnownTables | null
}

/** What a process knew of its models' tables. */
export interface KnownTables {
  /** The models that it had: of any other nothing was handed over, or the end of a gap was still to be written down. */
  readonly models: ReadonlySet<string>
  /** What was published of those whose changes were known to be complete. */
  readonly verified: ReadonlyMap<string, PublishedModel>
}

/** A stream begins, and how it follows on what the broker has. */
export interface RelayStart extends StreamStart {
  readonly continuity: Continuity
  /** Why changes are missing although the positions follow on each other; null: none are. */
  readonly gap: RowcastError | null
}

/** The way out. */
export interface StreamRelay {
  /**
   * Called before PostgreSQL is asked for anything: without a broker there is no point in holding the slot.
   * @throws BROKER_… when it cannot be used now
   */
  connect(): Promise<void>
  /** Where the changes end that the broker has of this server. @throws BROKER_… */
  readPast(server: StreamOrigin): Promise<RelayPast>
  /**
   * The server has begun to send; everything until `end()` belongs to this stream. What lies before its beginning counts as handed
   * over, too: that the broker has it does not make it safe there.
   */
  begin(start: RelayStart, feed: RelayFeed): void
  /** Takes the next message, `bytes[start, end)`; the bytes are valid during the call only. */
  accept(bytes: Buffer, start: number, end: number): void
  /** The server has sent everything up to `walEnd`. */
  keepalive(walEnd: Lsn): void
  /** Where the models' tables stand. */
  tellTables(tables: readonly ModelTableState[]): void
  /** Changes may be missing and the stream does not begin again soon: RESYNC_REQUIRED with the reason. */
  tellGap(error: RowcastError): void
  end(): void
  close(): Promise<void>
}
