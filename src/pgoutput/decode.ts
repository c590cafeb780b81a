/**
 * Stage 2, pgoutput. Bytes of one message in, `Message` out; pure, and without any state: what was said before
 * (the open stream, the relations) is for the stages after. One switch, one small function for each message.
 * Source: PostgreSQL manual, "Logical Replication Message Formats"; server side, src/backend/replication/logical/proto.c.
 */
import { RowcastError } from '../errors.ts'
import { decodeRelation, decodeType } from './decode-relation.ts'
import { decodeDelete, decodeInsert, decodeUpdate } from './decode-row-change.ts'
import { formatByte, truncatedMessage, unknownMessage } from './message-faults.ts'
import { MessageReader } from './message-reader.ts'
import { findMessageTag } from './message-tags.ts'
import type {
  BeginMessage,
  CommitMessage,
  LogicalMessage,
  Message,
  OriginMessage,
  ProtocolVersion,
  TruncateMessage,
} from './messages.ts'
import type { StreamAbortMessage, StreamCommitMessage, StreamStartMessage } from './streaming-messages.ts'
import type {
  BeginPrepareMessage,
  CommitPreparedMessage,
  PrepareMessage,
  RollbackPreparedMessage,
  StreamPrepareMessage,
} from './two-phase-messages.ts'

/** What the bytes of a message do not say about themselves. */
export interface DecodeContext {
  /** Version asked for at START_REPLICATION: a message younger than it is unknown. */
  readonly protocolVersion: ProtocolVersion
  /** Whether the message lies between Stream Start and Stream Stop, where xids lead. */
  readonly isStreamed: boolean
}

/** Every message of every version, outside a streamed block. */
const DEFAULT_CONTEXT: DecodeContext = { protocolVersion: 4, isStreamed: false }

/**
 * Decodes the message in `bytes` from `start` (its tag) up to, not including, `end`. Tuples and contents are
 * views on `bytes`: valid as long as its owner leaves it alone.
 * @default context protocolVersion 4, isStreamed false
 * @throws PGOUTPUT_TRUNCATED when the message is cut
 * @throws PGOUTPUT_UNKNOWN_MESSAGE when the protocol version has no such tag
 * @throws PGOUTPUT_MALFORMED when it holds what no such message can, or bytes are left over
 * @throws BUG when the window is not within `bytes`
 */
export function decodeMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: DecodeContext = DEFAULT_CONTEXT,
): Message {
  if (start < 0 || end > bytes.length) {
    throw new RowcastError('BUG', `Window ${start}–${end} lies outside a buffer of ${bytes.length} bytes.`)
  }
  if (start >= end) throw truncatedMessage({ bytes, start, end }, start, 'the tag')
  const tag = findMessageTag(bytes[start])
  if (tag === undefined || tag.sinceVersion > context.protocolVersion) {
    throw unknownMessage({ bytes, start, end }, context.protocolVersion)
  }
  switch (tag.kind) {
    case 'insert':
      return decodeInsert(bytes, start, end, context.isStreamed)
    case 'update':
      return decodeUpdate(bytes, start, end, context.isStreamed)
    case 'delete':
      return decodeDelete(bytes, start, end, context.isStreamed)
    default: {
      const reader = new MessageReader(bytes, start, end)
      const message = decodeRare(tag.kind, reader, context)
      reader.expectEnd()
      return message
    }
  }
}

type RareKind = Exclude<Message['kind'], 'insert' | 'update' | 'delete'>

/** All but the row changes. */
function decodeRare(kind: RareKind, reader: MessageReader, context: DecodeContext): Message {
  const { isStreamed } = context
  switch (kind) {
    case 'begin':
      return decodeBegin(reader)
    case 'commit':
      return decodeCommit(reader)
    case 'origin':
      return decodeOrigin(reader)
    case 'relation':
      return decodeRelation(reader, isStreamed)
    case 'type':
      return decodeType(reader, isStreamed)
    case 'truncate':
      return decodeTruncate(reader, isStreamed)
    case 'message':
      return decodeLogicalMessage(reader, isStreamed)
    case 'stream-start':
      return decodeStreamStart(reader)
    case 'stream-stop':
      return { kind }
    case 'stream-commit':
      return decodeStreamCommit(reader)
    case 'stream-abort':
      return decodeStreamAbort(reader, context.protocolVersion)
    case 'begin-prepare':
      return decodeBeginPrepare(reader)
    case 'prepare':
    case 'stream-prepare':
      return decodePrepare(kind, reader)
    case 'commit-prepared':
      return decodeCommitPrepared(reader)
    case 'rollback-prepared':
      return decodeRollbackPrepared(reader)
  }
}

// Below, the order of fields in an object literal is the order on the wire: each reads the next bytes.

function decodeBegin(reader: MessageReader): BeginMessage {
  return {
    kind: 'begin',
    finalLsn: reader.readLsn(),
    committedAtMicros: reader.readMicros(),
    xid: reader.readUint32(),
  }
}

function decodeCommit(reader: MessageReader): CommitMessage {
  reader.readNoFlags()
  return {
    kind: 'commit',
    commitLsn: reader.readLsn(),
    endLsn: reader.readLsn(),
    committedAtMicros: reader.readMicros(),
  }
}

function decodeOrigin(reader: MessageReader): OriginMessage {
  return { kind: 'origin', originLsn: reader.readLsn(), name: reader.readString() }
}

function decodeTruncate(reader: MessageReader, isStreamed: boolean): TruncateMessage {
  const streamXid = reader.readStreamXid(isStreamed)
  const relationCount = reader.readCount()
  const flags = reader.readUint8()
  reader.expectBytes(relationCount * 4, `the OIDs of ${relationCount} relations`)
  const relationOids: number[] = []
  for (let index = 0; index < relationCount; index++) relationOids.push(reader.readUint32())
  return {
    kind: 'truncate',
    streamXid,
    relationOids,
    isCascade: (flags & 1) !== 0,
    isRestartIdentity: (flags & 2) !== 0,
  }
}

function decodeLogicalMessage(reader: MessageReader, isStreamed: boolean): LogicalMessage {
  return {
    kind: 'message',
    streamXid: reader.readStreamXid(isStreamed),
    isTransactional: (reader.readUint8() & 1) !== 0,
    lsn: reader.readLsn(),
    prefix: reader.readString(),
    content: reader.readBytes(reader.readCount()),
  }
}

function decodeStreamStart(reader: MessageReader): StreamStartMessage {
  const xid = reader.readUint32()
  const first = reader.readUint8()
  if (first > 1) throw reader.malformed(`neither 0 nor 1 (${formatByte(first)})`, 1)
  return { kind: 'stream-start', xid, isFirstSegment: first === 1 }
}

function decodeStreamCommit(reader: MessageReader): StreamCommitMessage {
  const xid = reader.readUint32()
  reader.readNoFlags()
  return {
    kind: 'stream-commit',
    xid,
    commitLsn: reader.readLsn(),
    endLsn: reader.readLsn(),
    committedAtMicros: reader.readMicros(),
  }
}

function decodeStreamAbort(reader: MessageReader, protocolVersion: ProtocolVersion): StreamAbortMessage {
  const xid = reader.readUint32()
  const subxid = reader.readUint32()
  const hasAbortInfo = protocolVersion >= 4 && reader.remainingBytes > 0
  return {
    kind: 'stream-abort',
    xid,
    subxid,
    abortLsn: hasAbortInfo ? reader.readLsn() : null,
    abortedAtMicros: hasAbortInfo ? reader.readMicros() : null,
  }
}

function decodeBeginPrepare(reader: MessageReader): BeginPrepareMessage {
  return {
    kind: 'begin-prepare',
    prepareLsn: reader.readLsn(),
    endLsn: reader.readLsn(),
    preparedAtMicros: reader.readMicros(),
    xid: reader.readUint32(),
    gid: reader.readString(),
  }
}

function decodePrepare(
  kind: 'prepare' | 'stream-prepare',
  reader: MessageReader,
): PrepareMessage | StreamPrepareMessage {
  reader.readNoFlags()
  return {
    kind,
    prepareLsn: reader.readLsn(),
    endLsn: reader.readLsn(),
    preparedAtMicros: reader.readMicros(),
    xid: reader.readUint32(),
    gid: reader.readString(),
  }
}

function decodeCommitPrepared(reader: MessageReader): CommitPreparedMessage {
  reader.readNoFlags()
  return {
    kind: 'commit-prepared',
    commitLsn: reader.readLsn(),
    endLsn: reader.readLsn(),
    committedAtMicros: reader.readMicros(),
    xid: reader.readUint32(),
    gid: reader.readString(),
  }
}

function decodeRollbackPrepared(reader: MessageReader): RollbackPreparedMessage {
  reader.readNoFlags()
  return {
    kind: 'rollback-prepared',
    prepareEndLsn: reader.readLsn(),
    rollbackEndLsn: reader.readLsn(),
    preparedAtMicros: reader.readMicros(),
    rolledBackAtMicros: reader.readMicros(),
    xid: reader.readUint32(),
    gid: reader.readString(),
  }
}
