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
import type { RowReader } from '../catalog/row-reader.ts'
import type { RowMessage } from '../catalog/writing-tables.ts'
import { invariant, type RowcastError } from '../errors.ts'
import type { LogicalMessage, Message, RelationMessage } from '../pgoutput/messages.ts'
import { earlierLsn, LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { pgMicrosToDate } from '../wire/pg-time.ts'
import type { ChangePosition, TransactionInfo, TransactionPart } from './change.ts'
import { ChangePacker } from './change-packer.ts'
import { isSameEpoch, type StreamOrigin } from './cursor.ts'
import type { EmittedMessage } from './emitted-message.ts'
import { createUnknownMarkError, judgeVisibility, type SoftDeleteFields } from './soft-delete.ts'

/** Bounds of the open transaction, and how changes are reported. */
export interface AssemblerOptions {
  /** @default 1_024 changes */
  readonly partChangesMax?: number | undefined
  /** @default 1_048_576 // 1 MiB of undecoded rows */
  readonly partBytesMax?: number | undefined
  /** Models whose rows are marked instead of deleted. @default none */
  readonly softDelete?: SoftDeleteFields | undefined
}

/** Where finished parts go. */
export interface AssemblerOutput {
  publish(part: TransactionPart): void
  /** A transaction is complete; everything before `endLsn` has been published. */
  onCommit(endLsn: Lsn): void
  /** A model's rows cannot be read: its table and the Prisma schema disagree. Its changes are dropped. */
  onDrift(model: string, drift: RowcastError): void
  /** A drifted model's rows can be read again; what changed in between is lost. */
  onRecovery?(model: string): void
  /** Rows come from a partition that logs a part of each only, or no longer do. */
  onPartialRows?(): void
  /** The next rows of the model come from the table of this OID. */
  onTable?(model: string, oid: number): void
  /** Some of the tables that hold the model's rows were emptied: which rows are gone nobody says. */
  onPartialTruncate?(model: string): void
  /** An application's message: of a transaction after it committed and its changes left, any other at once. */
  onMessage?(message: EmittedMessage): void
  /** A transaction has begun: until its commit no position beyond it may be confirmed. */
  onBegin(): void
}

/** Assembles transactions; one per service, it outlives connections. */
export interface TransactionAssembler {
  /** Takes the next message; `byteLength` is its size on the wire. */
  take(message: Message, byteLength: number): void
  /** The next row change of the open transaction has this index: those before it came another way. */
  continueAt(index: number): void
  /**
   * The connection is gone: forget the open transaction, PostgreSQL will send it again. The next stream's
   * positions belong to `epoch`, when given; where that is another one, positions beyond `sharedLsn` mean something else.
   */
  reset(epoch?: StreamOrigin, sharedLsn?: Lsn): void
}

/** Creates an assembler over the relations of one stream. */
export function createTransactionAssembler(
  registry: RelationRegistry,
  output: AssemblerOutput,
  options: AssemblerOptions = {},
): TransactionAssembler {
  const partChangesMax = options.partChangesMax ?? 1_024
  const partBytesMax = options.partBytesMax ?? 1_048_576
  let epoch: StreamOrigin = { systemId: '0', timeline: 0 }
  let transaction: TransactionInfo | null = null
  const packer = new ChangePacker()
  let byteLength = 0
  /** Of the last change in the packer. */
  let lastIndex = -1
  let nextIndex = 0
  /** The last change that left as part of a transaction whose commit has not been seen yet. */
  let published: ChangePosition = { commitLsn: LSN_ZERO, index: -1 }
  const softDelete: SoftDeleteFields = options.softDelete ?? new Map()
  let messages: EmittedMessage[] = []
  /** The last messages handed over, to recognise those that PostgreSQL sends again. */
  let handedOver = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
  let handedOverAlone: Lsn = LSN_ZERO

  function publish(open: TransactionInfo, isFinal: boolean): void {
    publishChanges(open, isFinal)
    const leaving = messages
    messages = []
    for (const message of leaving) {
      output.onMessage?.(message)
      handedOver = { commitLsn: open.commitLsn, lsn: message.lsn }
    }
    byteLength = 0
  }

  function discard(): void {
    packer.discard()
    messages = []
    byteLength = 0
  }

  function publishChanges(open: TransactionInfo, isFinal: boolean): void {
    const isEmpty = packer.length === 0
    if (isEmpty && !(isFinal && published.commitLsn === open.commitLsn)) return
    const part: TransactionPart = { transaction: open, changes: packer.finish(open), isFinal, byteLength }
    byteLength = 0
    const last = { commitLsn: open.commitLsn, index: lastIndex }
    output.publish(part)
    // Not before: what could not be published comes again.
    if (!isEmpty) published = last
  }

  function isPublished(open: TransactionInfo, index: number): boolean {
    return published.commitLsn === open.commitLsn && index <= published.index
  }

  function count(open: TransactionInfo, bytes: number): void {
    byteLength += bytes
    const entries = packer.length + messages.length
    if (entries >= partChangesMax || byteLength >= partBytesMax) publish(open, false)
  }

  function updateRelation(message: RelationMessage): void {
    const before = new Set(registry.faults.keys())
    const { model, drift } = registry.update(message)
    if (model === null) return
    output.onTable?.(model.name, message.oid)
    if (drift !== null) output.onDrift(model.name, drift)
    else if (before.has(model.name) && !registry.faults.has(model.name)) output.onRecovery?.(model.name)
  }

  function takeRow(sent: RowMessage, bytes: number): void {
    const open = openTransaction(sent.kind)
    const index = nextIndex++
    if (registry.noteRow(sent.relationOid)) output.onPartialRows?.()
    const usual = registry.readerOf(sent.relationOid)
    if (usual === null) return
    const { reader, message } = asWritten(registry, usual, sent)
    const field = softDelete.size === 0 ? undefined : softDelete.get(reader.model.name)
    const visibility = field === undefined ? ACTIONS[message.kind] : judgeVisibility(reader, field, message)
    if (visibility === 'hidden') return
    if (visibility === 'unknown') {
      const drift = createUnknownMarkError(reader.model.name, field ?? '')
      registry.fail(reader.model.name, drift)
      output.onDrift(reader.model.name, drift)
    } else if (!isPublished(open, index)) {
      packer.add(index, reader, message, visibility)
      lastIndex = index
      count(open, bytes)
    }
  }

  function takeMessage(message: LogicalMessage, bytes: number): void {
    if (output.onMessage === undefined) return
    const { prefix, lsn } = message
    // The content is a view on bytes that many messages share; slice() of a Buffer would be one too.
    const content = new Uint8Array(message.content)
    if (!message.isTransactional) {
      if (lsn <= handedOverAlone) return
      output.onMessage({ prefix, content, lsn, transaction: null, index: null })
      handedOverAlone = lsn
      return
    }
    const open = openTransaction(message.kind)
    if (handedOver.commitLsn === open.commitLsn && lsn <= handedOver.lsn) return
    messages.push({ prefix, content, lsn, transaction: open, index: nextIndex })
    count(open, bytes)
  }

  function openTransaction(kind: string): TransactionInfo {
    invariant(transaction !== null, `PostgreSQL sent ${kind} outside a transaction.`)
    return transaction
  }

  return {
    take(message, bytes) {
      switch (message.kind) {
        case 'begin':
          transaction = {
            xid: message.xid,
            commitLsn: message.finalLsn,
            committedAt: pgMicrosToDate(message.committedAtMicros),
            epoch,
          }
          nextIndex = 0
          // Of one that never came to its end: a reader may have been led past it.
          discard()
          output.onBegin()
          return
        case 'commit':
          publish(openTransaction(message.kind), true)
          transaction = null
          output.onCommit(message.endLsn)
          return
        case 'relation':
          updateRelation(message)
          return
        case 'type':
          registry.updateType(message)
          return
        case 'insert':
        case 'update':
        case 'delete':
          takeRow(message, bytes)
          return
        case 'truncate': {
          const open = openTransaction(message.kind)
          const reported = new Set<string>()
          registry.noteTruncate()
          for (const oid of message.relationOids) {
            const index = nextIndex++
            const reader = registry.readerOf(oid)
            // Tables that inherit from a model's are emptied with it: that is one TRUNCATE of the model.
            if (reader === null || reported.has(reader.model.name)) continue
            reported.add(reader.model.name)
            if (isPublished(open, index)) continue
            if (!registry.emptiesModel(reader.model.name, message.relationOids)) {
              output.onPartialTruncate?.(reader.model.name)
              continue
            }
            packer.addTruncate(index, reader)
            lastIndex = index
            count(open, bytes)
          }
          return
        }
        case 'message':
          takeMessage(message, bytes)
          return
        default:
        // Origin messages change no row; streamed and two-phase ones are not asked for.
      }
    },
    continueAt(index) {
      nextIndex = index
    },
    reset(streamEpoch = epoch, sharedLsn = LSN_ZERO) {
      if (!isSameEpoch(streamEpoch, epoch)) {
        handedOverAlone = earlierLsn(handedOverAlone, sharedLsn)
        if (handedOver.commitLsn > sharedLsn) handedOver = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
      }
      epoch = streamEpoch
      transaction = null
      discard()
    },
  }
}

/** A row's message, with the old row as whole as the table that wrote it logs it. */
function asWritten(
  registry: RelationRegistry,
  reader: RowReader,
  message: RowMessage,
): { readonly reader: RowReader; readonly message: RowMessage } {
  const partial = registry.partialRowsOf(message.relationOid)
  if (partial === null) return { reader, message }
  const oldKind = partial.oldKindOf(message)
  if (oldKind === 'full') return { reader, message }
  return { reader: partial.reader, message: { ...message, oldKind } as RowMessage }
}

const ACTIONS = { insert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const
