/** Stage 4, changes. What hears of the transactions that an assembler puts together. */

import type { RowcastError } from '../errors.ts'
import type { BeginMessage } from '../pgoutput/messages.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { TransactionPart } from './change.ts'
import type { EmittedMessage } from './emitted-message.ts'

/** Where finished parts go. */
export interface AssemblerOutput {
  publish(part: TransactionPart): void
  /** A transaction is complete; everything before `endLsn` has been published. */
  onCommit(endLsn: Lsn): void
  /** A model's rows cannot be read: its table and the Prisma schema disagree. Its changes are dropped. */
  onDrift(model: string, drift: RowcastError): void
  /** A drifted model's rows can be read again; what changed in between is lost. What came before it has left. */
  onRecovery?(model: string): void
  /** Rows come from a partition that logs a part of each only, or no longer do. */
  onPartialRows?(): void
  /** The next rows of the model come from the table of this OID. */
  onTable?(model: string, oid: number): void
  /**
   * Changes of the model may be missing: some of the tables that hold its rows were emptied, and nobody says which rows are gone, or its table
   * is a partition of another, and its rows come as those of that one.
   */
  onDoubt?(model: string): void
  /** An application's message: of a transaction after it committed and its changes left, any other at once. */
  onMessage?(message: EmittedMessage): void
  /** A transaction has begun: until its commit no position beyond it may be confirmed. */
  onBegin(begin: BeginMessage): void
}
