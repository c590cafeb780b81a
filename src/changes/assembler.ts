/**
 * Stage 4, changes. Messages between Begin and Commit → parts of a transaction.
 *
 * PostgreSQL (without its streaming mode) sends a transaction only after it committed, so whatever arrives
 * between Begin and Commit is committed already. An ordinary transaction leaves as one part at its Commit.
 * A huge one leaves in bounded parts before that, so memory stays flat however many rows it has; should the
 * connection break in the middle, PostgreSQL sends it again from its Begin, and the changes that already
 * left are recognised by their position and dropped.
 */
import type { RelationEntry, RelationRegistry } from '../catalog/relation-registry.ts'
import { invariant, type RowcastError } from '../errors.ts'
import type { Message } from '../pgoutput/messages.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { pgMicrosToDate } from '../wire/pg-time.ts'
import type { AnyChange, ChangePosition, TransactionInfo, TransactionPart } from './change.ts'
import { RowChange } from './row-change.ts'
import { TruncateTableChange } from './truncate-change.ts'

/** Bounds of the open transaction. */
export interface AssemblerOptions {
  /** @default 4_096 changes */
  readonly partChangesMax?: number | undefined
  /** @default 4_194_304 // 4 MiB of undecoded rows */
  readonly partBytesMax?: number | undefined
}

/** Where finished parts go. */
export interface AssemblerOutput {
  publish(part: TransactionPart): void
  /** A transaction is complete; everything before `endLsn` has been published. */
  onCommit(endLsn: Lsn): void
  /** A model's rows cannot be read: its table and the Prisma schema disagree. Its changes are dropped. */
  onDrift(model: string, drift: RowcastError): void
  /** A transaction has begun: until its commit no position beyond it may be confirmed. */
  onBegin(): void
}

/** Assembles transactions; one per service, it outlives connections. */
export interface TransactionAssembler {
  /** Takes the next message; `byteLength` is its size on the wire. */
  take(message: Message, byteLength: number): void
  /** The connection is gone: forget the open transaction, PostgreSQL will send it again. */
  reset(): void
}

/** Creates an assembler over the relations of one stream. */
export function createTransactionAssembler(
  registry: RelationRegistry,
  output: AssemblerOutput,
  options: AssemblerOptions = {},
): TransactionAssembler {
  const partChangesMax = options.partChangesMax ?? 4_096
  const partBytesMax = options.partBytesMax ?? 4_194_304
  let transaction: TransactionInfo | null = null
  let changes: AnyChange[] = []
  let byteLength = 0
  let nextIndex = 0
  /** The last change that left as part of a transaction whose commit has not been seen yet. */
  let published: ChangePosition = { commitLsn: LSN_ZERO, index: -1 }

  function publish(open: TransactionInfo, isFinal: boolean): void {
    const last = changes[changes.length - 1]
    if (last === undefined && !(isFinal && published.commitLsn === open.commitLsn)) return
    const part: TransactionPart = { transaction: open, changes, isFinal, byteLength }
    changes = []
    byteLength = 0
    if (last !== undefined) published = { commitLsn: open.commitLsn, index: last.index }
    output.publish(part)
  }

  function add(open: TransactionInfo, change: AnyChange, bytes: number): void {
    if (published.commitLsn === open.commitLsn && change.index <= published.index) return
    changes.push(change)
    byteLength += bytes
    if (changes.length >= partChangesMax || byteLength >= partBytesMax) publish(open, false)
  }

  function reportDrift(entry: RelationEntry): void {
    if (entry.model !== null && entry.drift !== null) output.onDrift(entry.model.name, entry.drift)
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
          }
          nextIndex = 0
          output.onBegin()
          return
        case 'commit':
          publish(openTransaction(message.kind), true)
          transaction = null
          output.onCommit(message.endLsn)
          return
        case 'relation':
          reportDrift(registry.update(message))
          return
        case 'type':
          registry.updateType(message)
          return
        case 'insert': {
          const open = openTransaction(message.kind)
          const index = nextIndex++
          const reader = registry.readerOf(message.relationOid)
          if (reader === null) return
          add(open, new RowChange(open, index, 'INSERT', reader, 'none', null, message.new), bytes)
          return
        }
        case 'update': {
          const open = openTransaction(message.kind)
          const index = nextIndex++
          const reader = registry.readerOf(message.relationOid)
          if (reader === null) return
          add(
            open,
            new RowChange(open, index, 'UPDATE', reader, message.oldKind, message.old, message.new),
            bytes,
          )
          return
        }
        case 'delete': {
          const open = openTransaction(message.kind)
          const index = nextIndex++
          const reader = registry.readerOf(message.relationOid)
          if (reader === null) return
          add(open, new RowChange(open, index, 'DELETE', reader, message.oldKind, message.old, null), bytes)
          return
        }
        case 'truncate': {
          const open = openTransaction(message.kind)
          for (const oid of message.relationOids) {
            const index = nextIndex++
            const reader = registry.readerOf(oid)
            if (reader !== null) add(open, new TruncateTableChange(open, index, reader.model.name), bytes)
          }
          return
        }
        default:
        // Origin and logical messages change no row; streamed and two-phase ones are not asked for.
      }
    },
    reset() {
      transaction = null
      changes = []
      byteLength = 0
    },
  }
}
