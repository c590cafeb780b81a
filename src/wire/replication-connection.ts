/** Stage 1, wire. What a connection in replication mode can do, and what it needs of whoever reads the stream. */
import type { Buffer } from 'node:buffer'
import type { Lsn } from './lsn.ts'
import type { ServerMessage } from './server-message.ts'
import type { StreamRequest } from './start-replication.ts'

/** Which database cluster this is. Source: manual, "IDENTIFY_SYSTEM". */
export interface SystemIdentity {
  readonly systemId: string
  readonly timeline: number
  /** Current WAL flush position. */
  readonly flushedLsn: Lsn
}

/** Gets what the server sends. A throw ends the stream with that error. */
export interface StreamHandler {
  /** The server has begun; called before anything else of the stream. */
  onStarted?(): void
  /** One output-plugin message lies in `bytes[start, end)`, valid during the call only. */
  onWalData(bytes: Buffer, start: number, end: number): void
  /** The server has sent everything up to `walEnd`. */
  onKeepalive(walEnd: Lsn): void
  /** A warning within the stream. */
  onNotice(notice: ServerMessage): void
  /** What may be confirmed now, so that PostgreSQL forgets it; asked for each status update. */
  confirmedLsn(): Lsn
  /** What has been dealt with, at or after the confirmed position. @default confirmedLsn */
  writtenLsn?(): Lsn
}

/** How a query waits. */
export interface QueryOptions {
  /** Waits for as long as it takes: for transactions of others, that may be long. @default false */
  readonly isPatient?: boolean | undefined
}

/** A connection in replication mode. */
export interface ReplicationConnection {
  /** Process id of the walsender. */
  readonly serverPid: number
  /** Asks the server who it is. Only before `startStream`. */
  identify(): Promise<SystemIdentity>
  /** Runs SQL without parameters, or a replication command. Only before `startStream`. @throws WIRE_ANSWER_TIMEOUT, PostgresError */
  query<Row extends object>(text: string, options?: QueryOptions): Promise<readonly Row[]>
  /**
   * Starts streaming. Resolves once the server has switched to copy mode: from then on frames flow.
   * @throws PostgresError with the server's SQLSTATE when it refuses.
   */
  startStream(request: StreamRequest, handler: StreamHandler): Promise<void>
  /** Resolves with the reason when the stream is over: an error, or null after `close()`. */
  readonly closed: Promise<Error | null>
  /** Reports the confirmed position now. */
  sendStatus(): void
  /** Stops (and resumes) reading; reports go on meanwhile, so the server keeps the connection. */
  pause(): void
  resume(): void
  /** Ends the connection at once; `closed` resolves with the reason. */
  abort(reason: Error): void
  /** Reports a last time, ends the stream and the connection. */
  close(): Promise<void>
}
