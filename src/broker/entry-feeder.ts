/**
 * Beside the bus, broker. Entries → parts of transactions, through the same assembler that reads PostgreSQL's stream
 * itself: what a gateway publishes is what one process alone would have. Notices when an entry is missing, and drops
 * what came before.
 */

import type { Buffer } from 'node:buffer'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import { createTransactionAssembler, type TransactionAssembler } from '../changes/assembler.ts'
import type { AssemblyEvents } from '../changes/assembly-event.ts'
import type { TransactionPart } from '../changes/change.ts'
import type { StreamOrigin } from '../changes/cursor.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import type { SoftDeleteFields } from '../changes/soft-delete.ts'
import { METADATA_PREFIX, type MetadataReader } from '../changes/transaction-metadata.ts'
import { RowcastError } from '../errors.ts'
import { decodeMessage } from '../pgoutput/decode.ts'
import type { LogicalMessage, Message, RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import { LSN_ZERO, type Lsn, toLsn } from '../wire/lsn.ts'
import { type Entry, readRecords } from './entry-codec.ts'
import { compareEntryIds, type EntryId, laterEntryId } from './entry-id.ts'
import type { Reading } from './epoch.ts'
import type { RelationCache } from './relation-cache.ts'

/** Where what was read goes. */
export interface FeederOutput {
  publish(part: TransactionPart): void
  /** A model's rows cannot be read: its table and the Prisma schema disagree. */
  onDrift(model: string, drift: RowcastError): void
  /** They can be read again. */
  onRecovery?(model: string): void
  onMessage?(message: EmittedMessage): void
}

/** What a feeder needs. */
export interface EntryFeederOptions {
  readonly registry: RelationRegistry
  readonly relations: RelationCache
  readonly softDelete: SoftDeleteFields
  readonly readMetadata?: MetadataReader | undefined
  readonly output: FeederOutput
  /** Largest part that leaves before its transaction is complete. @default the assembler's */
  readonly partChangesMax?: number | undefined
}

/** Feeds one reader of the stream. */
export class EntryFeeder {
  readonly #options: EntryFeederOptions
  readonly #assembler: TransactionAssembler
  #position: EntryId
  /** The last thing that was passed over because it cannot be read; what follows need not follow on anything before. */
  #passed: EntryId
  /** Commit LSN of the transaction that is being read; null between two. */
  #openLsn: bigint | null = null
  /** Where the reader stood before that transaction. */
  #positionBefore: EntryId
  /** What the assembler has been given of relations, by OID. */
  readonly #described = new Map<number, string>()

  constructor(options: EntryFeederOptions, position: EntryId) {
    this.#options = options
    this.#position = position
    this.#passed = position
    this.#positionBefore = position
    this.#assembler = createTransactionAssembler(options.registry, {
      softDelete: options.softDelete,
      readMetadata: options.readMetadata,
      partChangesMax: options.partChangesMax,
    })
  }

  /** The last entry that was read. */
  get position(): EntryId {
    return this.#position
  }

  /** Everything that commits before it has been read. */
  get passedLsn(): Lsn {
    return toLsn(this.#openLsn ?? this.#position.lsn + 1n)
  }

  /** Whether a transaction has been read in part. */
  get isWithin(): boolean {
    return this.#openLsn !== null
  }

  /** Where reading goes on: after the last entry that was read, or passed over. */
  get readAfter(): EntryId {
    return laterEntryId(this.#position, this.#passed)
  }

  /** What was read of an open transaction leaves now. */
  flush(): void {
    this.#handOn(this.#assembler.flush())
  }

  /** Goes on behind something that cannot be read; whoever reads has been notified. */
  passOver(id: EntryId): void {
    this.#passed = laterEntryId(this.#passed, id)
  }

  /**
   * Forgets a transaction that has not come to its end: it is to be read again from its first entry, and what left of
   * it is known.
   */
  rewind(): Reading {
    const read = this.#position
    if (this.#openLsn !== null) this.#position = this.#positionBefore
    this.#openLsn = null
    return { read, whole: this.#position }
  }

  /** What follows belongs to another stream, and comes after `position`. */
  begin(epoch: StreamOrigin, position: EntryId): void {
    const { systemId, timeline } = epoch
    this.#assembler.reset({ systemId, timeline })
    this.#openLsn = null
    this.#position = position
    this.#passed = position
  }

  /** Whether the entry follows on what was read, or an entry is missing before it. */
  follows(entry: Entry): boolean {
    return compareEntryIds(entry.previous, this.readAfter) <= 0
  }

  /** Reads the next entry, whose relations are in the cache. @throws BROKER_ENTRY_UNREADABLE, PGOUTPUT_… */
  feed(entry: Entry): void {
    if (compareEntryIds(entry.id, this.#position) <= 0) return
    if (entry.isAlone) this.#feedAlone(entry)
    else this.#feedTransaction(entry)
    this.#position = entry.id
  }

  /** Takes a message that the catalog brings and no entry: what a relation looks like. */
  describe(bytes: Buffer): void {
    const message = decodeMessage(bytes, 0, bytes.length)
    // Rows that come yet are read by what their entries say of it, though it be what the last ones said.
    if (message.kind === 'relation') this.#described.delete(message.oid)
    this.#take(message, 0)
  }

  #feedAlone(entry: Entry): void {
    readRecords(entry, {
      message: (bytes, start, end) => this.#take(decodeMessage(bytes, start, end), end - start),
      relation() {},
      skip() {},
    })
  }

  #feedTransaction(entry: Entry): void {
    const { xid, committedAtMicros, isFinal, endLsn, metadata } = entry
    const commitLsn = entry.id.lsn
    if (this.#openLsn !== commitLsn) {
      this.#positionBefore = this.#position
      this.#take({ kind: 'begin', xid, committedAtMicros, finalLsn: commitLsn }, 0)
      this.#openLsn = commitLsn
    }
    if (metadata.length > 0) this.#take(metadataMessage(metadata), metadata.length)
    this.#feedRecords(entry)
    if (!isFinal) return
    this.#take({ kind: 'commit', commitLsn, endLsn, committedAtMicros }, 0)
    this.#openLsn = null
  }

  /** Entries may overlap where another tap has cut the transaction elsewhere: what was read is not read again. */
  #feedRecords(entry: Entry): void {
    const done = this.#position.lsn === entry.id.lsn ? this.#position.sequence : -1
    let index = entry.firstIndex
    let sequence = entry.firstSequence
    let isToJump = true
    readRecords(entry, {
      message: (bytes, start, end) => {
        const message = decodeMessage(bytes, start, end)
        const isNew = sequence > done
        if (isNew && isToJump) {
          this.#assembler.continueAt(index)
          isToJump = false
        }
        if (isNew) this.#take(message, end - start)
        const changes = changeCountOf(message)
        index += changes
        sequence += Math.max(1, changes)
      },
      relation: (digest) => this.#takeRelation(digest),
      skip: (count) => {
        index += count
        sequence += count
        isToJump = true
      },
    })
  }

  #takeRelation(digest: string): void {
    const messages = this.#options.relations.get(digest)
    if (messages === undefined) {
      throw new RowcastError(
        'BROKER_ENTRY_UNREADABLE',
        'What a relation looks like is not in Redis any more.',
      )
    }
    const relations = messages.filter((message): message is RelationMessage => message.kind === 'relation')
    const [relation, ...writers] = relations
    if (relation === undefined) return
    // One that could not be read may be readable now: the tables are looked at by themselves.
    const { oid } = relation
    if (this.#described.get(oid) === digest && this.#options.registry.entryOf(oid)?.reader != null) return
    this.#described.set(oid, digest)
    for (const message of messages) if (message.kind === 'type') this.#take(message, 0)
    this.#take(relation, 0)
    this.#options.registry.replacePartialWriters(oid, writers)
  }

  #take(message: Message | TypeMessage, byteLength: number): void {
    this.#handOn(this.#assembler.accept(message, byteLength))
  }

  /** Hands on what concerns a gateway. The assembler's other events are for a tap, which reads the replication stream itself. */
  #handOn(events: AssemblyEvents): void {
    const { output } = this.#options
    for (const event of events) {
      if (event.kind === 'part') output.publish(event.part)
      else if (event.kind === 'emitted') output.onMessage?.(event.message)
      else if (event.kind === 'drift') output.onDrift(event.model, event.drift)
      else if (event.kind === 'recovery') output.onRecovery?.(event.model)
      this.#assembler.handedOn(event)
    }
  }
}

/** As it stood in the stream, at the head of its transaction: here wherever reading begins. */
function metadataMessage(content: Uint8Array): LogicalMessage {
  return {
    kind: 'message',
    ...{ streamXid: null, isTransactional: true, lsn: LSN_ZERO, prefix: METADATA_PREFIX, content },
  }
}

function changeCountOf(message: Message): number {
  if (message.kind === 'truncate') return message.relationOids.length
  return message.kind === 'message' ? 0 : 1
}

/** Why reading cannot go on where it stands. */
export interface FeedFault {
  /** Of a gap. */
  readonly reason: 'broker-trimmed' | 'broker-unreadable'
  readonly cause?: unknown
}

/**
 * Feeds entries until one does not follow, or cannot be read: then why. Whatever reading it throws, it would throw again:
 * the entry is not asked for once more.
 */
export function feedAll(feeder: EntryFeeder, entries: readonly Entry[]): FeedFault | null {
  for (const entry of entries) {
    if (!feeder.follows(entry)) return { reason: 'broker-trimmed' }
    try {
      feeder.feed(entry)
    } catch (cause) {
      return { reason: 'broker-unreadable', cause }
    }
  }
  return null
}
