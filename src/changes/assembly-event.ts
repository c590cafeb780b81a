/** Stage 4, changes. What an assembler has done with a message. Types, and the order in which all is handed on. */
import type { RowcastError } from '../errors.ts'
import type { BeginMessage, CommitMessage } from '../pgoutput/messages.ts'
import type { TransactionPart } from './change.ts'
import type { EmittedMessage } from './emitted-message.ts'

/** One thing that came of a message. */
export type AssemblyEvent =
  /** A transaction has begun: until its commit no position beyond it may be confirmed. */
  | BeginMessage
  /** Changes of a transaction that has committed leave; `lastIndex` is that of the last one, -1 where there are none. */
  | { readonly kind: 'part'; readonly part: TransactionPart; readonly lastIndex: number }
  /** An application's message: of a transaction after it committed and its changes left, any other at once. */
  | { readonly kind: 'emitted'; readonly message: EmittedMessage }
  /** A transaction is complete; everything before its `endLsn` has left. */
  | CommitMessage
  /** A model's rows cannot be read: its table and the Prisma schema disagree. Its changes are dropped. */
  | { readonly kind: 'drift'; readonly model: string; readonly drift: RowcastError }
  /** By its table a drifted model's rows can be read again; what changed in between is lost. What came before it has left. */
  | { readonly kind: 'recovery'; readonly model: string }
  /** Rows come from a partition that logs a part of each only, or no longer do. */
  | { readonly kind: 'partialRows' }
  /** The next rows of the model come from the table of this OID. */
  | { readonly kind: 'table'; readonly model: string; readonly oid: number }
  /**
   * Changes of the model may be missing: some of the tables that hold its rows were emptied, and nobody says which rows are gone, or its table
   * is a partition of another, and its rows come as those of that one.
   */
  | { readonly kind: 'doubt'; readonly model: string }

/** In the order in which they are handed on: what leaves comes before what is said of models. */
export type AssemblyEvents = readonly AssemblyEvent[]

/** What most messages lead to: one row is kept. */
export const NO_EVENTS: AssemblyEvents = Object.freeze([])
