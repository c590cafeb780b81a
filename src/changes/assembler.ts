/**
 * Stage 4, changes. Messages between Begin and Commit → parts of a transaction.
 *
 * PostgreSQL (without its streaming mode) sends a transaction only after it committed, so whatever arrives
 * between Begin and Commit is committed already. An ordinary transaction leaves as one part at its Commit.
 * A huge one leaves in bounded parts before that, so memory stays flat however many rows it has; should the
 * connection break in the middle, PostgreSQL sends it again from its Begin, and the changes that already
 * left are recognised by their position and dropped.
 */
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { RowMessage } from '../catalog/writing-tables.ts'
import { invariant } from '../errors.ts'
import type {
  BeginMessage,
  CommitMessage,
  LogicalMessage,
  Message,
  RelationMessage,
  TruncateMessage,
} from '../pgoutput/messages.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { asWritten } from './as-written.ts'
import type { AssemblerOptions } from './assembler-options.ts'
import { type AssemblyEvent, type AssemblyEvents, NO_EVENTS } from './assembly-event.ts'
import { beginTransaction } from './begin-transaction.ts'
import type { ChangePosition, TransactionInfo } from './change.ts'
import { ChangePacker } from './change-packer.ts'
import { isSameOrigin, type StreamOrigin } from './cursor.ts'
import { EmittedMessages } from './emitted-message.ts'
import { createUnknownMarkError, judgeVisibility, type SoftDeleteFields } from './soft-delete.ts'
import {
  METADATA_PREFIX,
  type MetadataReader,
  readAnyMetadata,
  type TransactionMetadata,
} from './transaction-metadata.ts'

/** Assembles transactions; one per service, it outlives connections. */
export interface TransactionAssembler {
  /** Takes the next message; `byteLength` is its size on the wire. Returns what came of it, to be handed on at once. */
  accept(message: Message, byteLength: number): AssemblyEvents
  /** The event has been handed on. Without it, after a failure, what left comes again when PostgreSQL sends it again. */
  handedOn(event: AssemblyEvent): void
  /**
   * What has come of the open transaction leaves now: whoever ends cursors at the last change that has left would leave those good that
   * stand between that one and the next.
   */
  flush(): AssemblyEvents
  /** The next row change of the open transaction has this index: those before it came another way. */
  continueAt(index: number): void
  /**
   * The connection is gone: forget the open transaction, PostgreSQL will send it again. The next stream's
   * positions belong to `origin`, when given; where that is another one, positions beyond `sharedLsn` mean something else.
   */
  reset(origin?: StreamOrigin, sharedLsn?: Lsn): void
  /** Nobody has what has left of a transaction that comes again: it leaves whole. */
  forgetParts(): void
}

/** Creates an assembler over the relations of one stream. */
export function createTransactionAssembler(
  registry: RelationRegistry,
  options: AssemblerOptions = {},
): TransactionAssembler {
  return new Assembler(registry, options)
}

class Assembler implements TransactionAssembler {
  readonly #registry: RelationRegistry
  readonly #partChangesMax: number
  readonly #partBytesMax: number
  readonly #softDelete: SoftDeleteFields
  readonly #readMetadata: MetadataReader
  readonly #packer = new ChangePacker()
  readonly #messages = new EmittedMessages()
  #origin: StreamOrigin = { systemId: '0', timeline: 0 }
  #transaction: TransactionInfo | null = null
  /** What the transaction began with. */
  #begun: BeginMessage | null = null
  #byteLength = 0
  /** Of the last change in the packer. */
  #lastIndex = -1
  #nextIndex = 0
  /** Whether the open transaction has said something of itself. */
  #hasMetadata = false
  /** The last change that was handed on as part of a transaction whose commit has not been seen yet. */
  #published = NOTHING

  constructor(registry: RelationRegistry, options: AssemblerOptions) {
    this.#registry = registry
    this.#partChangesMax = options.partChangesMax ?? 1_024
    this.#partBytesMax = options.partBytesMax ?? 1_048_576
    this.#softDelete = options.softDelete ?? new Map()
    this.#readMetadata = options.readMetadata ?? readAnyMetadata
  }

  accept(message: Message, byteLength: number): AssemblyEvents {
    switch (message.kind) {
      case 'begin':
        return this.#begin(message)
      case 'commit':
        return this.#commit(message)
      case 'relation':
        return this.#takeRelation(message)
      case 'type':
        this.#registry.updateType(message)
        return NO_EVENTS
      case 'insert':
      case 'update':
      case 'delete':
        return this.#takeRow(message, byteLength)
      case 'truncate':
        return this.#takeTruncate(message, byteLength)
      case 'message':
        return message.prefix === METADATA_PREFIX
          ? this.#takeMetadata(message, byteLength)
          : this.#takeEmitted(message, byteLength)
      default:
        // Origin messages change no row; streamed and two-phase ones are not asked for.
        return NO_EVENTS
    }
  }

  handedOn(event: AssemblyEvent): void {
    if (event.kind === 'emitted') this.#messages.handedOn(event.message)
    else if (event.kind === 'part' && event.lastIndex >= 0)
      this.#published = { commitLsn: event.part.transaction.commitLsn, index: event.lastIndex }
  }

  flush(): AssemblyEvents {
    return this.#transaction === null ? NO_EVENTS : this.#leave(this.#transaction, false)
  }

  continueAt(index: number): void {
    this.#nextIndex = index
  }

  reset(origin: StreamOrigin = this.#origin, sharedLsn: Lsn = LSN_ZERO): void {
    if (!isSameOrigin(origin, this.#origin)) this.#messages.forgetAfter(sharedLsn)
    this.#origin = Object.freeze({ ...origin })
    this.#transaction = null
    this.#discard()
  }

  forgetParts(): void {
    this.#published = NOTHING
  }

  #begin(begin: BeginMessage): AssemblyEvents {
    this.#transaction = beginTransaction(begin, this.#origin, null)
    this.#begun = begin
    this.#nextIndex = 0
    this.#hasMetadata = false
    // Of one that never came to its end: a reader may have been led past it.
    this.#discard()
    return [begin]
  }

  #commit(commit: CommitMessage): AssemblyEvents {
    const left = this.#leave(this.#open(commit.kind), true)
    this.#transaction = null
    return [...left, commit]
  }

  #discard(): void {
    this.#packer.discard()
    this.#messages.discard()
    this.#byteLength = 0
  }

  #open(kind: string): TransactionInfo {
    invariant(this.#transaction !== null, `PostgreSQL sent ${kind} outside a transaction.`)
    return this.#transaction
  }

  #leave(open: TransactionInfo, isFinal: boolean): AssemblyEvents {
    const part = this.#takePart(open, isFinal)
    const emitted = this.#messages.leave()
    this.#byteLength = 0
    if (emitted.length === 0) return part === null ? NO_EVENTS : [part]
    const events = emitted.map((message): AssemblyEvent => ({ kind: 'emitted', message }))
    return part === null ? events : [part, ...events]
  }

  #takePart(open: TransactionInfo, isFinal: boolean): AssemblyEvent | null {
    const isEmpty = this.#packer.length === 0
    if (isEmpty && !(isFinal && this.#published.commitLsn === open.commitLsn)) return null
    const changes = this.#packer.finish(open)
    const part = { transaction: open, changes, isFinal, byteLength: this.#byteLength }
    return { kind: 'part', part, lastIndex: isEmpty ? -1 : this.#lastIndex }
  }

  #isPublished(open: TransactionInfo, index: number): boolean {
    return this.#published.commitLsn === open.commitLsn && index <= this.#published.index
  }

  #count(open: TransactionInfo, bytes: number): AssemblyEvents {
    this.#byteLength += bytes
    const entries = this.#packer.length + this.#messages.waitingCount
    const isFull = entries >= this.#partChangesMax || this.#byteLength >= this.#partBytesMax
    return isFull ? this.#leave(open, false) : NO_EVENTS
  }

  #takeRelation(message: RelationMessage): AssemblyEvents {
    const before = new Set(this.#registry.faults.keys())
    const { model, drift } = this.#registry.update(message)
    if (model === null) return NO_EVENTS
    const table: AssemblyEvent = { kind: 'table', model: model.name, oid: message.oid }
    if (drift !== null) return [table, { kind: 'drift', model: model.name, drift }]
    const isRecovered = before.has(model.name) && !this.#registry.faults.has(model.name)
    return isRecovered ? [...this.flush(), table, { kind: 'recovery', model: model.name }] : [table]
  }

  #takeRow(sent: RowMessage, bytes: number): AssemblyEvents {
    const open = this.#open(sent.kind)
    const index = this.#nextIndex++
    const doubted = this.#registry.modelsBehind(sent.relationOid)
    const isOtherwise = this.#registry.noteRow(sent.relationOid)
    const left = this.#keepRow(open, index, sent, bytes)
    if (doubted.length === 0 && !isOtherwise) return left
    const doubts = doubted.map((model): AssemblyEvent => ({ kind: 'doubt', model }))
    return isOtherwise ? [...left, ...doubts, { kind: 'partialRows' }] : [...left, ...doubts]
  }

  #keepRow(open: TransactionInfo, index: number, sent: RowMessage, bytes: number): AssemblyEvents {
    const usual = this.#registry.readerOf(sent.relationOid)
    if (usual === null) return NO_EVENTS
    const { reader, message } = asWritten(this.#registry, usual, sent)
    const { name } = reader.model
    const field = this.#softDelete.size === 0 ? undefined : this.#softDelete.get(name)
    const visibility = field === undefined ? ACTIONS[message.kind] : judgeVisibility(reader, field, message)
    if (visibility === 'hidden') return NO_EVENTS
    if (visibility === 'unknown') {
      const drift = createUnknownMarkError(name, field ?? '')
      this.#registry.fail(name, drift)
      return [{ kind: 'drift', model: name, drift }]
    }
    if (this.#isPublished(open, index)) return NO_EVENTS
    this.#packer.add(index, reader, message, visibility)
    this.#lastIndex = index
    return this.#count(open, bytes)
  }

  #takeTruncate({ kind, relationOids }: TruncateMessage, bytes: number): AssemblyEvents {
    const open = this.#open(kind)
    const reported = new Set<string>()
    const [left, doubts]: [AssemblyEvent[], AssemblyEvent[]] = [[], []]
    this.#registry.noteTruncate()
    for (const oid of relationOids) {
      const index = this.#nextIndex++
      const reader = this.#registry.readerOf(oid)
      // Tables that inherit from a model's are emptied with it: that is one TRUNCATE of the model.
      if (reader === null || reported.has(reader.model.name)) continue
      reported.add(reader.model.name)
      if (this.#isPublished(open, index)) continue
      if (!this.#registry.emptiesModel(reader.model.name, relationOids)) {
        doubts.push({ kind: 'doubt', model: reader.model.name })
        continue
      }
      this.#packer.addTruncate(index, reader)
      this.#lastIndex = index
      left.push(...this.#count(open, bytes))
    }
    return [...left, ...doubts]
  }

  /** The first one counts, before any row: so it is the same for all parts, however they are cut. */
  #takeMetadata(message: LogicalMessage, bytes: number): AssemblyEvents {
    if (!message.isTransactional) return NO_EVENTS
    const { origin } = this.#open(message.kind)
    if (this.#nextIndex > 0 || this.#hasMetadata || this.#begun === null) return NO_EVENTS
    this.#hasMetadata = true
    this.#byteLength += bytes
    const metadata = this.#readMetadata(message.content) as TransactionMetadata | null
    this.#transaction = beginTransaction(this.#begun, origin, metadata)
    return NO_EVENTS
  }

  #takeEmitted(message: LogicalMessage, bytes: number): AssemblyEvents {
    const open = message.isTransactional ? this.#open(message.kind) : null
    const emitted = this.#messages.accept(message, open, this.#nextIndex)
    if (emitted === null) return NO_EVENTS
    return open === null ? [{ kind: 'emitted', message: emitted }] : this.#count(open, bytes)
  }
}

/** Stands before all changes. */
const NOTHING: ChangePosition = { commitLsn: LSN_ZERO, index: -1 }

const ACTIONS = { insert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const
