/**
 * Builds pgoutput messages for tests: byte by byte (`MessageBytes`), or whole from a plain description
 * (`encodeMessage`), in which a tuple is a list of columns. Written from the manual, not from the decoder.
 */
import type { Message } from '../../src/pgoutput/messages.ts'
import { type Tuple, type TupleColumn, tupleColumns, UNCHANGED } from '../../src/pgoutput/tuple.ts'

type SpecField<V> = V extends Tuple ? readonly TupleColumn[] : V
type SpecOf<M> = M extends Message ? { readonly [K in keyof M]: SpecField<M[K]> } : never

/** A message with its tuples spelled out. */
export type MessageSpec = SpecOf<Message>

/** The description of one kind of message: `SpecOfKind<'relation'>`. */
export type SpecOfKind<K extends Message['kind']> = Extract<MessageSpec, { readonly kind: K }>

const utf8 = new TextEncoder()

/** A column in text form. */
export function text(value: string): TupleColumn {
  return { format: 'text', bytes: utf8.encode(value) }
}

/** A column in binary form. */
export function binary(...bytes: number[]): TupleColumn {
  return { format: 'binary', bytes: Uint8Array.from(bytes) }
}

/** Bytes written as hexadecimal pairs; blanks and bars are for the reader. */
export function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/[\s|]/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  )
}

/** Writes one message, field after field: `new MessageBytes('T').int32(1).int8(0).int32(oid).finish()`. */
export class MessageBytes {
  readonly #bytes: number[] = []

  constructor(tag: string) {
    this.char(tag)
  }

  char(character: string): this {
    return this.int8(character.charCodeAt(0))
  }

  int8(value: number): this {
    this.#bytes.push(value & 0xff)
    return this
  }

  int16(value: number): this {
    return this.int8(value >> 8).int8(value)
  }

  int32(value: number): this {
    return this.int16(value >> 16).int16(value)
  }

  int64(value: bigint): this {
    return this.int32(Number(BigInt.asIntN(32, value >> 32n))).int32(Number(BigInt.asIntN(32, value)))
  }

  string(value: string): this {
    return this.raw(utf8.encode(value)).int8(0)
  }

  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte)
    return this
  }

  /** The xid of a streamed block, where there is one. */
  streamXid(xid: number | null): this {
    return xid === null ? this : this.int32(xid)
  }

  tuple(columns: readonly TupleColumn[]): this {
    this.int16(columns.length)
    for (const column of columns) {
      if (column === null) this.char('n')
      else if (column === UNCHANGED) this.char('u')
      else {
        this.char(column.format === 'text' ? 't' : 'b')
        this.int32(column.bytes.length).raw(column.bytes)
      }
    }
    return this
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

/** Encodes a message as PostgreSQL would; a `streamXid` that is not null makes it one of a streamed block. */
export function encodeMessage(spec: MessageSpec): Uint8Array {
  return writeMessage(spec).finish()
}

function writeMessage(spec: MessageSpec): MessageBytes {
  switch (spec.kind) {
    case 'begin':
      return new MessageBytes('B').int64(spec.finalLsn).int64(spec.committedAtMicros).int32(spec.xid)
    case 'commit':
      return new MessageBytes('C')
        .int8(0)
        .int64(spec.commitLsn)
        .int64(spec.endLsn)
        .int64(spec.committedAtMicros)
    case 'origin':
      return new MessageBytes('O').int64(spec.originLsn).string(spec.name)
    case 'relation':
      return writeRelation(spec)
    case 'type':
      return new MessageBytes('Y')
        .streamXid(spec.streamXid)
        .int32(spec.oid)
        .string(spec.schema === 'pg_catalog' ? '' : spec.schema)
        .string(spec.name)
    case 'insert':
      return new MessageBytes('I').streamXid(spec.streamXid).int32(spec.relationOid).char('N').tuple(spec.new)
    case 'update':
      return writeUpdate(spec)
    case 'delete':
      return new MessageBytes('D')
        .streamXid(spec.streamXid)
        .int32(spec.relationOid)
        .char(spec.oldKind === 'key' ? 'K' : 'O')
        .tuple(spec.old)
    case 'truncate':
      return writeTruncate(spec)
    case 'message':
      return new MessageBytes('M')
        .streamXid(spec.streamXid)
        .int8(spec.isTransactional ? 1 : 0)
        .int64(spec.lsn)
        .string(spec.prefix)
        .int32(spec.content.length)
        .raw(spec.content)
    default:
      return writeLaterMessage(spec)
  }
}

function writeRelation(spec: SpecOfKind<'relation'>): MessageBytes {
  const message = new MessageBytes('R')
    .streamXid(spec.streamXid)
    .int32(spec.oid)
    .string(spec.schema === 'pg_catalog' ? '' : spec.schema)
    .string(spec.table)
    .char({ default: 'd', nothing: 'n', full: 'f', index: 'i' }[spec.replicaIdentity])
    .int16(spec.columns.length)
  for (const column of spec.columns) {
    message
      .int8(column.isKey ? 1 : 0)
      .string(column.name)
      .int32(column.typeOid)
      .int32(column.typeModifier)
  }
  return message
}

function writeUpdate(spec: SpecOfKind<'update'>): MessageBytes {
  const message = new MessageBytes('U').streamXid(spec.streamXid).int32(spec.relationOid)
  if (spec.old !== null) message.char(spec.oldKind === 'key' ? 'K' : 'O').tuple(spec.old)
  return message.char('N').tuple(spec.new)
}

function writeTruncate(spec: SpecOfKind<'truncate'>): MessageBytes {
  const message = new MessageBytes('T')
    .streamXid(spec.streamXid)
    .int32(spec.relationOids.length)
    .int8((spec.isCascade ? 1 : 0) | (spec.isRestartIdentity ? 2 : 0))
  for (const oid of spec.relationOids) message.int32(oid)
  return message
}

/** The messages that came with protocol versions 2 to 4. */
type LaterKind =
  | `stream-${'start' | 'stop' | 'commit' | 'abort' | 'prepare'}`
  | 'begin-prepare'
  | 'prepare'
  | 'commit-prepared'
  | 'rollback-prepared'

function writeLaterMessage(spec: SpecOfKind<LaterKind>): MessageBytes {
  switch (spec.kind) {
    case 'stream-start':
      return new MessageBytes('S').int32(spec.xid).int8(spec.isFirstSegment ? 1 : 0)
    case 'stream-stop':
      return new MessageBytes('E')
    case 'stream-commit':
      return new MessageBytes('c')
        .int32(spec.xid)
        .int8(0)
        .int64(spec.commitLsn)
        .int64(spec.endLsn)
        .int64(spec.committedAtMicros)
    case 'stream-abort': {
      const message = new MessageBytes('A').int32(spec.xid).int32(spec.subxid)
      if (spec.abortLsn !== null) message.int64(spec.abortLsn)
      if (spec.abortedAtMicros !== null) message.int64(spec.abortedAtMicros)
      return message
    }
    case 'begin-prepare':
      return new MessageBytes('b')
        .int64(spec.prepareLsn)
        .int64(spec.endLsn)
        .int64(spec.preparedAtMicros)
        .int32(spec.xid)
        .string(spec.gid)
    case 'prepare':
    case 'stream-prepare':
      return new MessageBytes(spec.kind === 'prepare' ? 'P' : 'p')
        .int8(0)
        .int64(spec.prepareLsn)
        .int64(spec.endLsn)
        .int64(spec.preparedAtMicros)
        .int32(spec.xid)
        .string(spec.gid)
    case 'commit-prepared':
      return new MessageBytes('K')
        .int8(0)
        .int64(spec.commitLsn)
        .int64(spec.endLsn)
        .int64(spec.committedAtMicros)
        .int32(spec.xid)
        .string(spec.gid)
    case 'rollback-prepared':
      return new MessageBytes('r')
        .int8(0)
        .int64(spec.prepareEndLsn)
        .int64(spec.rollbackEndLsn)
        .int64(spec.preparedAtMicros)
        .int64(spec.rolledBackAtMicros)
        .int32(spec.xid)
        .string(spec.gid)
  }
}

/** A decoded message with its tuples spelled out: the inverse of `encodeMessage`, after `decodeMessage`. */
export function describeMessage(message: Message): MessageSpec {
  switch (message.kind) {
    case 'insert':
      return { ...message, new: tupleColumns(message.new) }
    case 'update':
      return {
        ...message,
        old: message.old === null ? null : tupleColumns(message.old),
        new: tupleColumns(message.new),
      }
    case 'delete':
      return { ...message, old: tupleColumns(message.old) }
    default:
      return message
  }
}

/** Whether the description is one of a message inside a streamed block. */
export function isStreamedSpec(spec: MessageSpec): boolean {
  return 'streamXid' in spec && spec.streamXid !== null
}
