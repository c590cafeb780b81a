/** Beside the bus, broker. What messages of the replication stream become on their way to the broker, and who takes it. */

import type { Buffer } from 'node:buffer'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import type { RowcastError } from '../errors.ts'
import type { BeginMessage } from '../pgoutput/messages.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { EntryId } from './entry-id.ts'
import type { RelationDefinition } from './relation-definition.ts'

/** An entry that is ready to leave. */
export interface BuiltEntry {
  readonly id: EntryId
  readonly payload: Buffer
  /** Models that it has changes of, each with the index of the last in the transaction. */
  readonly models?: ReadonlyMap<string, number> | undefined
}

/** Where they go. */
export interface EntryBuilderOutput {
  onBegin(begin: BeginMessage): void
  /** Comes before the first entry that refers to it. */
  onRelation(definition: RelationDefinition): void
  onEntry(entry: BuiltEntry): void
  /** A message between processes of rowcast was read; its entry has not left yet. */
  onOwnMessageRead?(message: EmittedMessage): void
  /** Its entry has left. */
  onOwnMessage?(message: EmittedMessage): void
  /** The next rows of the model come from the table of this OID. */
  onTable?(model: string, oid: number): void
  /** Changes of the model may be missing, as `AssemblyEvent` has it. */
  onDoubt?(model: string): void
  /** All entries of a transaction have left. */
  onCommit(endLsn: Lsn): void
  /** A model's rows cannot be read by the Prisma schema of this process. */
  onDrift(model: string, drift: RowcastError): void
  onRecovery(model: string): void
}
