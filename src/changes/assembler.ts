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
  LogicalMessage,
  Message,
  RelationMessage,
  TruncateMessage,
} from '../pgoutput/messages.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { asWritten } from './as-written.ts'
import type { AssemblerOptions } from './assembler-options.ts'
import type { AssemblerOutput } from './assembler-output.ts'
import { beginTransaction } from './begin-transaction.ts'
import type { ChangePosition, TransactionInfo, TransactionPart } from './change.ts'
import { ChangePacker } from './change-packer.ts'
import { isSameEpoch, type StreamOrigin } from './cursor.ts'
import type { EmittedMessage } from './emitted-message.ts'
import { SentMessages } from './sent-messages.ts'
import { createUnknownMarkError, judgeVisibility, type SoftDeleteFields } from './soft-delete.ts'
import {
  METADATA_PREFIX,
  type MetadataReader,
  readAnyMetadata,
  type TransactionMetadata,
} from './transaction-metadata.ts'

/** Assembles transactions; one per service, it outlives connections. */
export interface TransactionAssembler {
  /** Takes the next message; `byteLength` is its size on the wire. */
  take(message: Message, byteLength: number): void
  /**
   * What has come of the open transaction leaves now: whoever ends cursors at the last change that has left would leave those good that
   * stand between that one and the next.
   */
  flush(): void
  /** The next row change of the open transaction has this index: those before it came another way. */
  continueAt(index: number): void
  /**
   * The connection is gone: forget the open transaction, PostgreSQL will send it again. The next stream's
   * positions belong to `epoch`, when given; where that is another one, positions beyond `sharedLsn` mean something else.
   */
  reset(epoch?: StreamOrigin, sharedLsn?: Lsn): void
  /** Nobody has what has left of a transaction that comes again: it leaves whole. */
  forgetParts(): void
}

/** Creates an assembler over the relations of one stream. */
export function createTransactionAssembler(
  registry: RelationRegistry,
  output: AssemblerOutput,
  options: AssemblerOptions = {},
): TransactionAssembler {
  return new Assembler(registry, output, options)
}

class Assembler implements TransactionAssembler {
  readonly #registry: RelationRegistry
  readonly #output: AssemblerOutput
  readonly #partChangesMax: number
  readonly #partBytesMax: number
  readonly #softDelete: SoftDeleteFields
  readonly #readMetadata: MetadataReader
  readonly #packer = new ChangePacker()
  readonly #sent = new SentMessages()
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
  /** The last change that left as part of a transaction whose commit has not been seen yet. */
  #published = NOTHING
  #messages: EmittedMessage[] = []

  constructor(registry: RelationRegistry, output: AssemblerOutput, options: AssemblerOptions) {
    this.#registry = registry
    this.#output = output
    this.#partChangesMax = options.partChangesMax ?? 1_024
    this.#partBytesMax = options.partBytesMax ?? 1_048_576
    this.#softDelete = options.softDelete ?? new Map()
    this.#readMetadata = options.readMetadata ?? readAnyMetadata
  }

  take(message: Message, byteLength: number): void {
    switch (message.kind) {
      case 'begin':
        this.#begin(message)
        break
      case 'commit':
        this.#publish(this.#open(message.kind), true)
        this.#transaction = null
        this.#output.onCommit(message.endLsn)
        break
      case 'relation':
        this.#takeRelation(message)
        break
      case 'type':
        this.#registry.updateType(message)
        break
      case 'insert':
      case 'update':
      case 'delete':
        this.#takeRow(message, byteLength)
        break
      case 'truncate':
        this.#takeTruncate(message, byteLength)
        break
      case 'message':
        this.#takeMessage(message, byteLength)
        break
      default:
      // Origin messages change no row; streamed and two-phase ones are not asked for.
    }
  }

  flush(): void {
    if (this.#transaction !== null) this.#publish(this.#transaction, false)
  }

  continueAt(index: number): void {
    this.#nextIndex = index
  }

  reset(origin: StreamOrigin = this.#origin, sharedLsn: Lsn = LSN_ZERO): void {
    if (!isSameEpoch(origin, this.#origin)) this.#sent.forgetAfter(sharedLsn)
    this.#origin = Object.freeze({ ...origin })
    this.#transaction = null
    this.#discard()
  }

  forgetParts(): void {
    this.#published = NOTHING
  }

  #begin(begin: BeginMessage): void {
    this.#transaction = beginTransaction(begin, this.#origin, null)
    this.#begun = begin
    this.#nextIndex = 0
    this.#hasMetadata = false
    // Of one that never came to its end: a reader may have been led past it.
    this.#discard()
    this.#output.onBegin(begin)
  }

  #discard(): void {
    this.#packer.discard()
    this.#messages = []
    this.#byteLength = 0
  }

  #open(kind: string): TransactionInfo {
    invariant(this.#transaction !== null, `PostgreSQL sent ${kind} outside a transaction.`)
    return this.#transaction
  }

  #publish(open: TransactionInfo, isFinal: boolean): void {
    this.#publishChanges(open, isFinal)
    const leaving = this.#messages
    this.#messages = []
    for (const message of leaving) {
      this.#output.onMessage?.(message)
      this.#sent.note(message)
    }
    this.#byteLength = 0
  }

  #publishChanges(open: TransactionInfo, isFinal: boolean): void {
    const isEmpty = this.#packer.length === 0
    if (isEmpty && !(isFinal && this.#published.commitLsn === open.commitLsn)) return
    const changes = this.#packer.finish(open)
    const part: TransactionPart = { transaction: open, changes, isFinal, byteLength: this.#byteLength }
    this.#byteLength = 0
    const last = { commitLsn: open.commitLsn, index: this.#lastIndex }
    this.#output.publish(part)
    // Not before: what could not be published comes again.
    if (!isEmpty) this.#published = last
  }

  #isPublished(open: TransactionInfo, index: number): boolean {
    return this.#published.commitLsn === open.commitLsn && index <= this.#published.index
  }

  #count(open: TransactionInfo, bytes: number): void {
    this.#byteLength += bytes
    const entries = this.#packer.length + this.#messages.length
    if (entries >= this.#partChangesMax || this.#byteLength >= this.#partBytesMax) this.#publish(open, false)
  }

  #takeRelation(message: RelationMessage): void {
    const before = new Set(this.#registry.faults.keys())
    const { model, drift } = this.#registry.update(message)
    if (model === null) return
    this.#output.onTable?.(model.name, message.oid)
    if (drift !== null) this.#output.onDrift(model.name, drift)
    else if (before.has(model.name) && !this.#registry.faults.has(model.name)) {
      this.flush()
      this.#output.onRecovery?.(model.name)
    }
  }

  #takeRow(sent: RowMessage, bytes: number): void {
    const open = this.#open(sent.kind)
    const index = this.#nextIndex++
    for (const model of this.#registry.modelsBehind(sent.relationOid)) this.#output.onDoubt?.(model)
    if (this.#registry.noteRow(sent.relationOid)) this.#output.onPartialRows?.()
    const usual = this.#registry.readerOf(sent.relationOid)
    if (usual === null) return
    const { reader, message } = asWritten(this.#registry, usual, sent)
    const field = this.#softDelete.size === 0 ? undefined : this.#softDelete.get(reader.model.name)
    const visibility = field === undefined ? ACTIONS[message.kind] : judgeVisibility(reader, field, message)
    if (visibility === 'hidden') return
    if (visibility === 'unknown') {
      const drift = createUnknownMarkError(reader.model.name, field ?? '')
      this.#registry.fail(reader.model.name, drift)
      this.#output.onDrift(reader.model.name, drift)
    } else if (!this.#isPublished(open, index)) {
      this.#packer.add(index, reader, message, visibility)
      this.#lastIndex = index
      this.#count(open, bytes)
    }
  }

  #takeTruncate({ kind, relationOids }: TruncateMessage, bytes: number): void {
    const open = this.#open(kind)
    const reported = new Set<string>()
    this.#registry.noteTruncate()
    for (const oid of relationOids) {
      const index = this.#nextIndex++
      const reader = this.#registry.readerOf(oid)
      // Tables that inherit from a model's are emptied with it: that is one TRUNCATE of the model.
      if (reader === null || reported.has(reader.model.name)) continue
      reported.add(reader.model.name)
      if (this.#isPublished(open, index)) continue
      if (!this.#registry.emptiesModel(reader.model.name, relationOids)) {
        this.#output.onDoubt?.(reader.model.name)
        continue
      }
      this.#packer.addTruncate(index, reader)
      this.#lastIndex = index
      this.#count(open, bytes)
    }
  }

  /** The first one counts, before any row: so it is the same for all parts, however they are cut. */
  #takeMetadata(message: LogicalMessage, bytes: number): void {
    if (!message.isTransactional) return
    const { epoch } = this.#open(message.kind)
    if (this.#nextIndex > 0 || this.#hasMetadata || this.#begun === null) return
    this.#hasMetadata = true
    this.#byteLength += bytes
    const metadata = this.#readMetadata(message.content) as TransactionMetadata | null
    this.#transaction = beginTransaction(this.#begun, epoch, metadata)
  }

  #takeMessage(message: LogicalMessage, bytes: number): void {
    if (message.prefix === METADATA_PREFIX) this.#takeMetadata(message, bytes)
    else if (this.#output.onMessage !== undefined) this.#takeEmitted(message, bytes)
  }

  #takeEmitted(message: LogicalMessage, bytes: number): void {
    const { prefix, lsn } = message
    // The content is a view on bytes that many messages share; slice() of a Buffer would be one too.
    const content = new Uint8Array(message.content)
    if (!message.isTransactional) {
      const alone: EmittedMessage = { prefix, content, lsn, transaction: null, index: null }
      if (this.#sent.has(alone)) return
      this.#output.onMessage?.(alone)
      this.#sent.note(alone)
      return
    }
    const open = this.#open(message.kind)
    const one: EmittedMessage = { prefix, content, lsn, transaction: open, index: this.#nextIndex }
    if (this.#sent.has(one)) return
    this.#messages.push(one)
    this.#count(open, bytes)
  }
}

/** Stands before all changes. */
const NOTHING: ChangePosition = { commitLsn: LSN_ZERO, index: -1 }

const ACTIONS = { insert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const
