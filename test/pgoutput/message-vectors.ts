/**
 * Bytes of every message and what they mean, written from the manual's tables, with ids above
 * 2^31, names that are not ASCII and the odd cases. What servers really sent is in test/vectors.
 */
import type { ProtocolVersion } from '../../src/pgoutput/messages.ts'
import { UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { binary, type MessageSpec, text } from '../support/message-builder.ts'

export interface MessageVector {
  readonly title: string
  readonly protocolVersion: ProtocolVersion
  readonly isStreamed: boolean
  readonly hex: string
  readonly expected: MessageSpec
}

/** A vector outside a streamed block. */
function plain(
  protocolVersion: ProtocolVersion,
  title: string,
  hex: string,
  expected: MessageSpec,
): MessageVector {
  return { title, protocolVersion, isStreamed: false, hex, expected }
}

/** A vector inside a streamed block. */
function streamed(title: string, hex: string, expected: MessageSpec): MessageVector {
  return { title, protocolVersion: 2, isStreamed: true, hex, expected }
}

export const HAND_VECTORS: readonly MessageVector[] = [
  plain(1, 'begin', '42 | 00000016b374d848 | 0002e3a1b2c3d4e5 | fffffffe', {
    kind: 'begin',
    finalLsn: toLsn(0x16b374d848n),
    committedAtMicros: 0x2e3a1b2c3d4e5n,
    xid: 4_294_967_294,
  }),
  plain(1, 'begin: LSN above 2^63, time before 2000', '42 | ffffffff80000001 | ffffffffffffffff | 00000003', {
    kind: 'begin',
    finalLsn: toLsn(0xffff_ffff_8000_0001n),
    committedAtMicros: -1n,
    xid: 3,
  }),
  plain(1, 'commit', '43 | 00 | 00000016b374d848 | 00000016b374d878 | 0002e3a1b2c3d4e5', {
    kind: 'commit',
    commitLsn: toLsn(0x16b374d848n),
    endLsn: toLsn(0x16b374d878n),
    committedAtMicros: 0x2e3a1b2c3d4e5n,
  }),
  plain(1, 'origin', '4f | 0000000000000001 | 6ec3b67264 00', {
    kind: 'origin',
    originLsn: toLsn(1n),
    name: 'nörd',
  }),
  plain(
    1,
    'relation',
    `52 | 80000001 | 7075626c6963 00 | e9a1a7e5aea2 00 | 69 | 0003
     01 | 6964 00 | 00000b86 | ffffffff
     00 | 70726569 73e282ac 00 | 000006a4 | 000a0006
     01 | f09f9082 00 | fffffff0 | 00000000`,
    {
      kind: 'relation',
      streamXid: null,
      oid: 2_147_483_649,
      schema: 'public',
      table: '顧客',
      replicaIdentity: 'index',
      columns: [
        { name: 'id', typeOid: 2950, typeModifier: -1, isKey: true },
        { name: 'preis€', typeOid: 1700, typeModifier: 655_366, isKey: false },
        { name: '🐂', typeOid: 4_294_967_280, typeModifier: 0, isKey: true },
      ],
    },
  ),
  plain(
    1,
    'relation: pg_catalog, byte order mark in the name',
    '52 | 000004e7 | 00 | efbbbf61 00 | 6e | 0000',
    {
      kind: 'relation',
      streamXid: null,
      oid: 1255,
      schema: 'pg_catalog',
      table: '\ufeffa',
      replicaIdentity: 'nothing',
      columns: [],
    },
  ),
  plain(1, 'relation: a name that is not UTF-8', '52 | 00004000 | 73 00 | 63616665e9 00 | 64 | 0000', {
    kind: 'relation',
    streamXid: null,
    oid: 16_384,
    schema: 's',
    table: 'cafe\ufffd',
    replicaIdentity: 'default',
    columns: [],
  }),
  plain(1, 'type', '59 | c0000000 | 7075626c6963 00 | 737461 74c3bc73 00', {
    kind: 'type',
    streamXid: null,
    oid: 3_221_225_472,
    schema: 'public',
    name: 'statüs',
  }),
  plain(
    1,
    'insert: all four kinds of column, and empty values',
    '49 | 80000001 | 4e | 0006 | 6e | 75 | 74 00000003 616263 | 62 00000002 ff00 | 74 00000000 | 62 00000000',
    {
      kind: 'insert',
      streamXid: null,
      relationOid: 2_147_483_649,
      oldKind: 'none',
      old: null,
      new: [null, UNCHANGED, text('abc'), binary(0xff, 0x00), text(''), binary()],
    },
  ),
  plain(1, 'insert: a table without columns', '49 | 00004016 | 4e | 0000', {
    kind: 'insert',
    streamXid: null,
    relationOid: 16_406,
    oldKind: 'none',
    old: null,
    new: [],
  }),
  plain(1, 'update: no old row', '55 | 00004001 | 4e | 0002 | 74 00000001 31 | 75', {
    kind: 'update',
    streamXid: null,
    relationOid: 16_385,
    oldKind: 'none',
    old: null,
    new: [text('1'), UNCHANGED],
  }),
  plain(
    1,
    'update: old key',
    '55 | 00004001 | 4b | 0002 | 74 00000001 31 | 6e | 4e | 0002 | 74 00000001 32 | 6e',
    {
      kind: 'update',
      streamXid: null,
      relationOid: 16_385,
      oldKind: 'key',
      old: [text('1'), null],
      new: [text('2'), null],
    },
  ),
  plain(
    1,
    'update: old row',
    '55 | fffffffe | 4f | 0001 | 62 00000004 00000001 | 4e | 0001 | 62 00000004 00000002',
    {
      kind: 'update',
      streamXid: null,
      relationOid: 4_294_967_294,
      oldKind: 'full',
      old: [binary(0, 0, 0, 1)],
      new: [binary(0, 0, 0, 2)],
    },
  ),
  plain(1, 'update: empty tuples', '55 | 00004001 | 4f | 0000 | 4e | 0000', {
    kind: 'update',
    streamXid: null,
    relationOid: 16_385,
    oldKind: 'full',
    old: [],
    new: [],
  }),
  plain(1, 'delete: key', '44 | 80000000 | 4b | 0002 | 74 00000002 3432 | 6e', {
    kind: 'delete',
    streamXid: null,
    relationOid: 2_147_483_648,
    oldKind: 'key',
    old: [text('42'), null],
    new: null,
  }),
  plain(1, 'delete: row', '44 | 00004001 | 4f | 0002 | 74 00000001 31 | 74 00000002 c3bc', {
    kind: 'delete',
    streamXid: null,
    relationOid: 16_385,
    oldKind: 'full',
    old: [text('1'), text('ü')],
    new: null,
  }),
  plain(1, 'truncate', '54 | 00000002 | 03 | 80000001 | 00004001', {
    kind: 'truncate',
    streamXid: null,
    relationOids: [2_147_483_649, 16_385],
    isCascade: true,
    isRestartIdentity: true,
  }),
  plain(1, 'truncate: restart identity only', '54 | 00000001 | 02 | 00004001', {
    kind: 'truncate',
    streamXid: null,
    relationOids: [16_385],
    isCascade: false,
    isRestartIdentity: true,
  }),
  plain(1, 'message', '4d | 01 | 00000016b374d848 | 68c3a9 00 | 00000003 | 00ff10', {
    kind: 'message',
    streamXid: null,
    isTransactional: true,
    lsn: toLsn(0x16b374d848n),
    prefix: 'hé',
    content: Uint8Array.of(0x00, 0xff, 0x10),
  }),
  plain(1, 'message: not transactional, nothing in it', '4d | 00 | 0000000000000000 | 00 | 00000000', {
    kind: 'message',
    streamXid: null,
    isTransactional: false,
    lsn: toLsn(0n),
    prefix: '',
    content: new Uint8Array(0),
  }),
  plain(2, 'stream start', '53 | f0000001 | 01', {
    kind: 'stream-start',
    xid: 4_026_531_841,
    isFirstSegment: true,
  }),
  plain(2, 'stream start: a later segment', '53 | 00000300 | 00', {
    kind: 'stream-start',
    xid: 768,
    isFirstSegment: false,
  }),
  streamed('stream stop', '45', { kind: 'stream-stop' }),
  plain(2, 'stream commit', '63 | 80000300 | 00 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5', {
    kind: 'stream-commit',
    xid: 2_147_484_416,
    commitLsn: toLsn(0xa00n),
    endLsn: toLsn(0xb00n),
    committedAtMicros: 0x2e3a1b2c3d4e5n,
  }),
  plain(2, 'stream abort', '41 | 80000300 | 80000301', {
    kind: 'stream-abort',
    xid: 2_147_484_416,
    subxid: 2_147_484_417,
    abortLsn: null,
    abortedAtMicros: null,
  }),
  plain(4, 'stream abort: version 4 without parallel streaming', '41 | 80000300 | 80000300', {
    kind: 'stream-abort',
    xid: 2_147_484_416,
    subxid: 2_147_484_416,
    abortLsn: null,
    abortedAtMicros: null,
  }),
  plain(4, 'stream abort: parallel', '41 | 80000300 | 80000301 | 0000000000000a00 | 0002e3a1b2c3d4e5', {
    kind: 'stream-abort',
    xid: 2_147_484_416,
    subxid: 2_147_484_417,
    abortLsn: toLsn(0xa00n),
    abortedAtMicros: 0x2e3a1b2c3d4e5n,
  }),
  plain(
    3,
    'begin prepare',
    '62 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5 | fffffffe | 67c3af64 00',
    {
      kind: 'begin-prepare',
      prepareLsn: toLsn(0xa00n),
      endLsn: toLsn(0xb00n),
      preparedAtMicros: 0x2e3a1b2c3d4e5n,
      xid: 4_294_967_294,
      gid: 'gïd',
    },
  ),
  plain(3, 'prepare', '50 | 00 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5 | fffffffe | 67 00', {
    kind: 'prepare',
    prepareLsn: toLsn(0xa00n),
    endLsn: toLsn(0xb00n),
    preparedAtMicros: 0x2e3a1b2c3d4e5n,
    xid: 4_294_967_294,
    gid: 'g',
  }),
  plain(
    3,
    'commit prepared',
    '4b | 00 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5 | fffffffe | 67 00',
    {
      kind: 'commit-prepared',
      commitLsn: toLsn(0xa00n),
      endLsn: toLsn(0xb00n),
      committedAtMicros: 0x2e3a1b2c3d4e5n,
      xid: 4_294_967_294,
      gid: 'g',
    },
  ),
  plain(
    3,
    'rollback prepared',
    `72 | 00 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5 | 0002e3a1b2c3d4e6 | fffffffe | 67 00`,
    {
      kind: 'rollback-prepared',
      prepareEndLsn: toLsn(0xa00n),
      rollbackEndLsn: toLsn(0xb00n),
      preparedAtMicros: 0x2e3a1b2c3d4e5n,
      rolledBackAtMicros: 0x2e3a1b2c3d4e6n,
      xid: 4_294_967_294,
      gid: 'g',
    },
  ),
  plain(
    3,
    'stream prepare',
    '70 | 00 | 0000000000000a00 | 0000000000000b00 | 0002e3a1b2c3d4e5 | fffffffe | 67 00',
    {
      kind: 'stream-prepare',
      prepareLsn: toLsn(0xa00n),
      endLsn: toLsn(0xb00n),
      preparedAtMicros: 0x2e3a1b2c3d4e5n,
      xid: 4_294_967_294,
      gid: 'g',
    },
  ),
  streamed(
    'relation, streamed',
    '52 | 80000300 | 00004001 | 73 00 | 74 00 | 66 | 0001 | 01 | 63 00 | 00000017 | ffffffff',
    {
      kind: 'relation',
      streamXid: 2_147_484_416,
      oid: 16_385,
      schema: 's',
      table: 't',
      replicaIdentity: 'full',
      columns: [{ name: 'c', typeOid: 23, typeModifier: -1, isKey: true }],
    },
  ),
  streamed('type, streamed', '59 | 80000300 | 00004001 | 00 | 6f6964 00', {
    kind: 'type',
    streamXid: 2_147_484_416,
    oid: 16_385,
    schema: 'pg_catalog',
    name: 'oid',
  }),
  streamed('insert, streamed', '49 | 80000300 | 80004001 | 4e | 0001 | 74 00000001 31', {
    kind: 'insert',
    streamXid: 2_147_484_416,
    relationOid: 2_147_500_033,
    oldKind: 'none',
    old: null,
    new: [text('1')],
  }),
  streamed('update, streamed', '55 | 80000300 | 80004001 | 4b | 0001 | 74 00000001 31 | 4e | 0001 | 75', {
    kind: 'update',
    streamXid: 2_147_484_416,
    relationOid: 2_147_500_033,
    oldKind: 'key',
    old: [text('1')],
    new: [UNCHANGED],
  }),
  streamed('delete, streamed', '44 | 80000300 | 80004001 | 4f | 0001 | 74 00000001 31', {
    kind: 'delete',
    streamXid: 2_147_484_416,
    relationOid: 2_147_500_033,
    oldKind: 'full',
    old: [text('1')],
    new: null,
  }),
  streamed('truncate, streamed', '54 | 80000300 | 00000001 | 01 | 80004001', {
    kind: 'truncate',
    streamXid: 2_147_484_416,
    relationOids: [2_147_500_033],
    isCascade: true,
    isRestartIdentity: false,
  }),
  streamed('message, streamed', '4d | 80000300 | 01 | 0000000000000a00 | 70 00 | 00000001 | 78', {
    kind: 'message',
    streamXid: 2_147_484_416,
    isTransactional: true,
    lsn: toLsn(0xa00n),
    prefix: 'p',
    content: Uint8Array.of(0x78),
  }),
]
