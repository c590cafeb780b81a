/**
 * Beside the bus, broker. Messages of the replication stream → entries. Looks no deeper than it must: rows stay the bytes
 * that PostgreSQL sent. The same transaction always makes the same entries, whichever tap reads it.
 */
import { Buffer } from 'node:buffer'
import { MONEY_OID } from '../catalog/money-scale.ts'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { METADATA_BYTES_MAX, METADATA_PREFIX } from '../changes/transaction-metadata.ts'
import { decodeMessage } from '../pgoutput/decode.ts'
import type { BeginMessage, LogicalMessage, RelationMessage } from '../pgoutput/messages.ts'
import { rowRelationOf } from '../pgoutput/peek-message.ts'
import { isOwnMessage } from '../source/published/barrier-message.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import type { BuiltEntry, EntryBuilderOutput } from './built-entry.ts'
import { EntryEncoder } from './entry-codec.ts'
import { type EntryId, laterEntryId, messageEntryId } from './entry-id.ts'
import { ownMessageOf } from './own-message.ts'
import { encodeRelationDefinition } from './relation-definition.ts'

/** Bounds of an entry. */
export interface EntryBounds {
  readonly recordsMax: number
  readonly bytesMax: number
}

/** Large enough to be cheap, small enough to read many without a pause. */
const DEFAULT_BOUNDS: EntryBounds = { recordsMax: 500, bytesMax: 256 * 1024 }

const NO_METADATA = new Uint8Array(0)

/** Builds entries; one per tap. */
export class EntryBuilder {
  readonly #registry: RelationRegistry
  readonly #output: EntryBuilderOutput
  readonly #bounds: EntryBounds
  readonly #encoder = new EntryEncoder()
  /** Of the tables that are live, by OID. */
  readonly #digests = new Map<number, string>()
  readonly #types = new Map<number, Buffer>()
  /** Relation messages as they came, by OID. */
  readonly #relations = new Map<number, Buffer>()
  #begin: BeginMessage | null = null
  #stream = ''
  #previous: EntryId = { lsn: LSN_ZERO, sequence: 0 }
  #index = 0
  #sequence = 0
  #firstIndex = 0
  #firstSequence = 0
  #recordCount = 0
  #skipped = 0
  /** Of the open transaction; null until it says something. */
  #metadata: Uint8Array | null = null
  /** Of the open transaction. */
  #ownMessages: EmittedMessage[] = []
  /** What the entry says already of relations, by OID. */
  readonly #described = new Map<number, string>()
  /** Index of the last change in the entry, by OID of its table. */
  readonly #lastIndexes = new Map<number, number>()

  constructor(registry: RelationRegistry, output: EntryBuilderOutput, bounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds
    this.#registry = registry
    this.#output = output
  }

  /** Whether a transaction has begun and not ended. */
  get isInTransaction(): boolean {
    return this.#begin !== null
  }

  /** The stream of the key given begins, or goes on; its next entry follows on `previous`. */
  reset(stream: string, previous: EntryId): void {
    this.#stream = stream
    this.#previous = previous
    this.#begin = null
    this.#digests.clear()
    this.#types.clear()
    this.#relations.clear()
    this.#clear()
  }

  /** Takes the next message, `bytes[start, end)`. */
  accept(bytes: Buffer, start: number, end: number): void {
    const oid = rowRelationOf(bytes, start)
    if (oid !== null) {
      for (const model of this.#registry.modelsBehind(oid)) this.#output.onDoubt?.(model)
      if (this.#registry.noteRow(oid)) this.#define(oid)
      if (this.#isLive(oid)) this.#add(bytes, start, end, [oid])
      else this.#skipped += 1
      return
    }
    const message = decodeMessage(bytes, start, end)
    switch (message.kind) {
      case 'begin':
        this.#begin = message
        this.#index = 0
        this.#sequence = 0
        this.#clear()
        this.#output.onBegin(message)
        return
      case 'commit':
        if (!this.#encoder.isEmpty) this.#flush(message.endLsn)
        this.#begin = null
        for (const own of this.#ownMessages.splice(0)) this.#output.onOwnMessage?.(own)
        this.#output.onCommit(message.endLsn)
        return
      case 'type':
        this.#registry.updateType(message)
        this.#types.set(message.oid, Buffer.from(bytes.subarray(start, end)))
        return
      case 'relation':
        this.#takeRelation(message, bytes.subarray(start, end))
        return
      case 'truncate': {
        this.#registry.noteTruncate()
        const live = message.relationOids.filter((oid) => this.#isLive(oid))
        this.#checkTruncate(message.relationOids, live)
        if (live.length === 0) this.#skipped += message.relationOids.length
        else this.#add(bytes, start, end, message.relationOids)
        return
      }
      case 'message':
        if (message.prefix === METADATA_PREFIX) this.#takeMetadata(message)
        else this.#takeMessage(message, bytes, start, end)
        return
      default:
      // Origin messages change no row; streamed and two-phase ones are not asked for.
    }
  }

  #checkTruncate(oids: readonly number[], live: readonly number[]): void {
    const models = new Set(live.map((oid) => this.#registry.entryOf(oid)?.model?.name))
    for (const model of models) {
      if (model !== undefined && !this.#registry.emptiesModel(model, oids)) this.#output.onDoubt?.(model)
    }
  }

  #takeRelation(message: RelationMessage, bytes: Buffer): void {
    const before = new Set(this.#registry.faults.keys())
    const { model, drift } = this.#registry.update(message)
    this.#relations.set(message.oid, Buffer.from(bytes))
    if (model === null) {
      this.#digests.delete(message.oid)
      return
    }
    this.#output.onTable?.(model.name, message.oid)
    this.#define(message.oid)
    if (drift !== null) this.#output.onDrift(model.name, drift)
    else if (before.has(model.name) && !this.#registry.faults.has(model.name))
      this.#output.onRecovery(model.name)
  }

  /** What the rows of a live table look like, and which of its partitions log a part of them only. */
  #define(oid: number): void {
    const entry = this.#registry.entryOf(oid)
    const bytes = this.#relations.get(oid)
    if (entry?.model == null || bytes === undefined) return
    // Of money's scale domains and lists of money depend, too.
    const typeOids = [MONEY_OID, ...entry.relation.columns.map(({ typeOid }) => typeOid)]
    const types = typeOids.flatMap((typeOid) => this.#types.get(typeOid) ?? [])
    const writers = this.#registry
      .partialWritersOf(oid)
      .flatMap((each) => this.#relations.get(each.oid) ?? [])
    const definition = encodeRelationDefinition([...new Set(types), bytes, ...writers])
    this.#digests.set(oid, definition.digest)
    this.#output.onRelation(definition)
  }

  /** As the assembler does: the first, before any row. Readers see that one is too long. */
  #takeMetadata({ isTransactional, content }: LogicalMessage): void {
    if (!isTransactional || this.#index + this.#skipped > 0) return
    this.#metadata ??= Uint8Array.from(content.subarray(0, METADATA_BYTES_MAX + 1))
  }

  #takeMessage(message: LogicalMessage, bytes: Buffer, start: number, end: number): void {
    if (isOwnMessage(message)) {
      const own = ownMessageOf(this.#begin, message)
      if (own === null) return
      this.#ownMessages.push(own)
      this.#output.onOwnMessageRead?.(own)
    }
    if (message.isTransactional) {
      this.#makeRoom()
      this.#encoder.addMessage(bytes, start, end)
      this.#count(1)
      return
    }
    const encoder = new EntryEncoder()
    encoder.addMessage(bytes, start, end)
    const id = messageEntryId(message.lsn)
    const header = {
      ...{ previous: this.#previous, isFinal: true, isAlone: true, xid: 0, committedAtMicros: 0n },
      ...{ endLsn: LSN_ZERO, firstIndex: 0, firstSequence: 0, metadata: NO_METADATA },
    }
    const payload = encoder.finish(header, { stream: this.#stream, id })
    this.#leave({ id, payload })
  }

  /** A table can become a model's behind its Relation message, by what the catalog says. */
  #isLive(oid: number): boolean {
    if (!this.#digests.has(oid)) this.#define(oid)
    return this.#digests.has(oid)
  }

  /** A row change, or a TRUNCATE of several tables, of which some are live. */
  #add(bytes: Buffer, start: number, end: number, oids: readonly number[]): void {
    this.#makeRoom()
    for (let at = 0; at < oids.length; at += 1) {
      const oid = oids[at] as number
      const digest = this.#digests.get(oid)
      if (digest === undefined) continue
      this.#lastIndexes.set(oid, this.#index + at)
      if (this.#described.get(oid) === digest) continue
      this.#described.set(oid, digest)
      this.#encoder.addRelation(digest)
    }
    this.#encoder.addMessage(bytes, start, end)
    this.#count(oids.length)
    this.#index += oids.length
  }

  /** Models that the entry has changes of, and where the last of each is. */
  #modelsOf(): ReadonlyMap<string, number> {
    const models = new Map<string, number>()
    for (const [oid, index] of this.#lastIndexes) {
      const name = this.#registry.entryOf(oid)?.model?.name
      if (name !== undefined) models.set(name, Math.max(index, models.get(name) ?? 0))
    }
    this.#lastIndexes.clear()
    return models
  }

  /**
   * Ends an entry that is full. Only now that another record comes: so the last entry of a transaction always has
   * one, and carries the commit.
   */
  #makeRoom(): void {
    const { recordsMax, bytesMax } = this.#bounds
    if (this.#recordCount >= recordsMax || this.#encoder.byteLength >= bytesMax) this.#flush(null)
    if (this.#skipped > 0) {
      if (!this.#encoder.isEmpty) this.#encoder.addSkip(this.#skipped)
      this.#index += this.#skipped
      this.#sequence += this.#skipped
      this.#skipped = 0
    }
    if (!this.#encoder.isEmpty) return
    this.#firstIndex = this.#index
    this.#firstSequence = this.#sequence
  }

  #count(sequences: number): void {
    this.#sequence += sequences
    this.#recordCount += 1
  }

  #flush(endLsn: Lsn | null): void {
    const begin = this.#begin as BeginMessage
    const id = { lsn: begin.finalLsn, sequence: this.#sequence - 1 }
    const header = {
      previous: this.#previous,
      isFinal: endLsn !== null,
      isAlone: false,
      xid: begin.xid,
      committedAtMicros: begin.committedAtMicros,
      endLsn: endLsn ?? LSN_ZERO,
      firstIndex: this.#firstIndex,
      firstSequence: this.#firstSequence,
      metadata: this.#metadata ?? NO_METADATA,
    }
    const payload = this.#encoder.finish(header, { stream: this.#stream, id })
    const models = this.#modelsOf()
    this.#described.clear()
    this.#recordCount = 0
    this.#leave({ id, payload, models })
  }

  #leave(entry: BuiltEntry): void {
    this.#previous = laterEntryId(this.#previous, entry.id)
    this.#output.onEntry(entry)
  }

  #clear(): void {
    this.#encoder.clear()
    this.#described.clear()
    this.#lastIndexes.clear()
    this.#ownMessages = []
    this.#metadata = null
    this.#recordCount = 0
    this.#skipped = 0
  }
}
