/**
 * Stage 2, pgoutput. What PostgreSQL says: the messages of protocol version 1, and the union of all versions.
 * Source of every byte table: PostgreSQL manual, "Logical Replication Message Formats".
 *
 * Offsets count from the tag byte. In a streamed block (between Stream Start and Stream Stop, version 2 and
 * later) relation, type, insert, update, delete, truncate and logical messages carry an Int32 xid right after
 * the tag, and every later offset moves by 4. LSNs, OIDs and xids are unsigned; times are microseconds since
 * 2000-01-01 UTC; strings end with a zero byte and are in the client encoding, which has to be UTF-8.
 */
import type { Lsn } from '../wire/lsn.ts'
import type {
  StreamAbortMessage,
  StreamCommitMessage,
  StreamStartMessage,
  StreamStopMessage,
} from './streaming-messages.ts'
import type { Tuple } from './tuple.ts'
import type {
  BeginPrepareMessage,
  CommitPreparedMessage,
  PrepareMessage,
  RollbackPreparedMessage,
  StreamPrepareMessage,
} from './two-phase-messages.ts'

/** The `proto_version` asked for at START_REPLICATION: 2 adds streaming, 3 two-phase, 4 parallel streaming. */
export type ProtocolVersion = 1 | 2 | 3 | 4

/** Which columns PostgreSQL logs of a row's former self: ALTER TABLE … REPLICA IDENTITY. */
export type ReplicaIdentity = 'default' | 'nothing' | 'full' | 'index'

/**
 * A transaction begins; it has already committed, or it would not be sent outside a streamed block.
 *
 *      0  Byte1('B')
 *      1  Int64   finalLsn           LSN of the commit record; the same as commitLsn of its Commit
 *      9  Int64   committedAtMicros  µs since 2000-01-01
 *     17  Int32   xid                unsigned
 */
export interface BeginMessage {
  readonly kind: 'begin'
  readonly finalLsn: Lsn
  readonly committedAtMicros: bigint
  readonly xid: number
}

/**
 * The transaction is complete.
 *
 *      0  Byte1('C')
 *      1  Int8    flags              unused, 0
 *      2  Int64   commitLsn          LSN of the commit record
 *     10  Int64   endLsn             just past the commit record: what may be confirmed
 *     18  Int64   committedAtMicros  µs since 2000-01-01
 */
export interface CommitMessage {
  readonly kind: 'commit'
  readonly commitLsn: Lsn
  readonly endLsn: Lsn
  readonly committedAtMicros: bigint
}

/**
 * The transaction came from another server; follows Begin, Begin Prepare or the first Stream Start.
 *
 *      0  Byte1('O')
 *      1  Int64   originLsn  LSN of the commit on the origin server; 0 in a streamed block
 *      9  String  name
 */
export interface OriginMessage {
  readonly kind: 'origin'
  readonly originLsn: Lsn
  readonly name: string
}

/** One published column of a Relation; generated columns count only where the publication includes them. */
export interface RelationColumn {
  readonly name: string
  readonly typeOid: number
  /** `atttypmod`, signed; -1 for none. */
  readonly typeModifier: number
  /** Part of the replica identity; under FULL every column is. */
  readonly isKey: boolean
}

/**
 * What a table looks like; sent before its first change on a connection, and again whenever it may have changed.
 *
 *      0  Byte1('R')
 *      1  Int32   oid
 *      5  String  schema           empty for pg_catalog, decoded as that name
 *      …  String  table
 *      …  Byte1   replicaIdentity  'd' default, 'n' nothing, 'f' full, 'i' index
 *      …  Int16   number of columns, then for each:
 *           Int8    flags          1: part of the replica identity
 *           String  name
 *           Int32   typeOid
 *           Int32   typeModifier   signed
 */
export interface RelationMessage {
  readonly kind: 'relation'
  readonly streamXid: number | null
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly replicaIdentity: ReplicaIdentity
  readonly columns: readonly RelationColumn[]
}

/**
 * A type that is not built in; sent before the Relation that uses it.
 *
 *      0  Byte1('Y')
 *      1  Int32   oid
 *      5  String  schema  empty for pg_catalog, decoded as that name
 *      …  String  name    of the base type, where the type is a domain
 */
export interface TypeMessage {
  readonly kind: 'type'
  readonly streamXid: number | null
  readonly oid: number
  readonly schema: string
  readonly name: string
}

/**
 * How much of the row before came along: nothing, the replica identity's columns (the others are NULL in the
 * tuple, which says nothing about their value), or the whole row.
 */
export type OldKind = 'none' | 'key' | 'full'

/**
 * A row is new.
 *
 *      0  Byte1('I')
 *      1  Int32      relationOid
 *      5  Byte1('N')
 *      6  TupleData  new
 *
 * Insert, update and delete have the same fields in the same order: one hidden class on the hottest path.
 */
export interface InsertMessage {
  readonly kind: 'insert'
  /** Xid of the (sub)transaction inside a streamed block, else null; the same in every message that has it. */
  readonly streamXid: number | null
  readonly relationOid: number
  readonly oldKind: 'none'
  readonly old: null
  readonly new: Tuple
}

/**
 * A row differs from before.
 *
 *      0  Byte1('U')
 *      1  Int32      relationOid
 *      5  Byte1      'K' key or 'O' whole old row follows; absent, with the tuple, where nothing was logged
 *      6  TupleData  old
 *      …  Byte1('N')
 *      …  TupleData  new
 */
export interface UpdateMessage {
  readonly kind: 'update'
  readonly streamXid: number | null
  readonly relationOid: number
  readonly oldKind: OldKind
  /** Null exactly when `oldKind` is 'none': no full identity, and the key did not change. */
  readonly old: Tuple | null
  readonly new: Tuple
}

/**
 * A row is gone.
 *
 *      0  Byte1('D')
 *      1  Int32      relationOid
 *      5  Byte1      'K' key or 'O' whole old row follows
 *      6  TupleData  old
 */
export interface DeleteMessage {
  readonly kind: 'delete'
  readonly streamXid: number | null
  readonly relationOid: number
  readonly oldKind: 'key' | 'full'
  readonly old: Tuple
  readonly new: null
}

/**
 * Tables were emptied, in one statement.
 *
 *      0  Byte1('T')
 *      1  Int32   number of relations
 *      5  Int8    flags  1: CASCADE, 2: RESTART IDENTITY
 *      6  Int32   OID, for each relation
 */
export interface TruncateMessage {
  readonly kind: 'truncate'
  readonly streamXid: number | null
  readonly relationOids: readonly number[]
  readonly isCascade: boolean
  readonly isRestartIdentity: boolean
}

/**
 * What `pg_logical_emit_message` wrote, when the option `messages` is on.
 *
 *      0  Byte1('M')
 *      1  Int8    flags    1: transactional
 *      2  Int64   lsn      of the message
 *     10  String  prefix
 *      …  Int32   length of content
 *      …  Byten   content
 */
export interface LogicalMessage {
  readonly kind: 'message'
  readonly streamXid: number | null
  /** False: sent at once, outside any transaction, whether or not the one that wrote it commits. */
  readonly isTransactional: boolean
  readonly lsn: Lsn
  readonly prefix: string
  /** A view, valid as long as the bytes that were decoded. */
  readonly content: Uint8Array
}

/** Every message of protocol versions 1 to 4: narrows by `kind`. */
export type Message =
  | BeginMessage
  | CommitMessage
  | OriginMessage
  | RelationMessage
  | TypeMessage
  | InsertMessage
  | UpdateMessage
  | DeleteMessage
  | TruncateMessage
  | LogicalMessage
  | StreamStartMessage
  | StreamStopMessage
  | StreamCommitMessage
  | StreamAbortMessage
  | BeginPrepareMessage
  | PrepareMessage
  | CommitPreparedMessage
  | RollbackPreparedMessage
  | StreamPrepareMessage
