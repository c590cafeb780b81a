/**
 * What PostgreSQL 18.4 sent (pg_logical_slot_get_binary_changes, publication of "schéma"."täble", full_t and
 * empty_t, debug_logical_replication_streaming=immediate), one message of each kind: bytes nobody here wrote.
 */
import { UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { binary, text } from '../support/message-builder.ts'
import type { MessageVector } from './message-vectors.ts'

const v1 = { protocolVersion: 1, isStreamed: false } as const
const v3 = { protocolVersion: 3, isStreamed: false } as const
const v4 = { protocolVersion: 4, isStreamed: false } as const
const v4Streamed = { protocolVersion: 4, isStreamed: true } as const

export const SERVER_VECTORS: readonly MessageVector[] = [
  {
    ...v1,
    title: 'begin',
    hex: '4200000000017913f0000303e52c5e14b1000002f7',
    expected: {
      kind: 'begin',
      finalLsn: toLsn(24_712_176n),
      committedAtMicros: 848_707_756_889_265n,
      xid: 759,
    },
  },
  {
    ...v1,
    title: 'type: create type mood as enum',
    hex: '59000040017075626c6963006d6f6f6400',
    expected: { kind: 'type', streamXid: null, oid: 16_385, schema: 'public', name: 'mood' },
  },
  {
    ...v1,
    title: 'relation: "schéma"."täble" (id int primary key, "näme" text, big text, m mood, flag bool)',
    hex: `5200004006736368c3a96d610074c3a4626c65006400050169640000000017ffffffff006ec3a46d650000000019ffffffff
      006269670000000019ffffffff006d0000004001ffffffff00666c61670000000010ffffffff`,
    expected: {
      kind: 'relation',
      streamXid: null,
      oid: 16_390,
      schema: 'schéma',
      table: 'täble',
      replicaIdentity: 'default',
      columns: [
        { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
        { name: 'näme', typeOid: 25, typeModifier: -1, isKey: false },
        { name: 'big', typeOid: 25, typeModifier: -1, isKey: false },
        { name: 'm', typeOid: 16_385, typeModifier: -1, isKey: false },
        { name: 'flag', typeOid: 16, typeModifier: -1, isKey: false },
      ],
    },
  },
  {
    ...v1,
    title: "insert: (2, null, '', 'fine', false)",
    hex: '49000040064e00057400000001326e7400000000740000000466696e65740000000166',
    expected: {
      kind: 'insert',
      streamXid: null,
      relationOid: 16_390,
      oldKind: 'none',
      old: null,
      new: [text('2'), null, text(''), text('fine'), text('f')],
    },
  },
  {
    ...v1,
    title: 'insert, binary: the same row',
    hex: '49000040064e00056200000004000000026e6200000000620000000466696e65620000000100',
    expected: {
      kind: 'insert',
      streamXid: null,
      relationOid: 16_390,
      oldKind: 'none',
      old: null,
      new: [binary(0, 0, 0, 2), null, binary(), binary(0x66, 0x69, 0x6e, 0x65), binary(0)],
    },
  },
  {
    ...v1,
    title: 'update: key unchanged under DEFAULT, a TOASTed column untouched',
    hex: '55000040064e0005740000000131740000000161757400000005c3bc626c65740000000174',
    expected: {
      kind: 'update',
      streamXid: null,
      relationOid: 16_390,
      oldKind: 'none',
      old: null,
      new: [text('1'), text('a'), UNCHANGED, text('üble'), text('t')],
    },
  },
  {
    ...v1,
    title: 'update: key changed under DEFAULT',
    hex: '55000040064b00057400000001326e6e6e6e4e00057400000001336e7400000000740000000466696e65740000000166',
    expected: {
      kind: 'update',
      streamXid: null,
      relationOid: 16_390,
      oldKind: 'key',
      old: [text('2'), null, null, null, null],
      new: [text('3'), null, text(''), text('fine'), text('f')],
    },
  },
  {
    ...v1,
    title: 'update under FULL',
    hex: '550000400e4f00027400000001377400000005736576656e4e00027400000001376e',
    expected: {
      kind: 'update',
      streamXid: null,
      relationOid: 16_398,
      oldKind: 'full',
      old: [text('7'), text('seven')],
      new: [text('7'), null],
    },
  },
  {
    ...v1,
    title: 'delete under FULL',
    hex: '440000400e4f00027400000001376e',
    expected: {
      kind: 'delete',
      streamXid: null,
      relationOid: 16_398,
      oldKind: 'full',
      old: [text('7'), null],
      new: null,
    },
  },
  {
    ...v1,
    title: 'truncate full_t, empty_t restart identity cascade',
    hex: '5400000002030000400e00004016',
    expected: {
      kind: 'truncate',
      streamXid: null,
      relationOids: [16_398, 16_406],
      isCascade: true,
      isRestartIdentity: true,
    },
  },
  {
    ...v1,
    title: "message: pg_logical_emit_message(false, 'np', 'x')",
    hex: '4d0000000000017915d86e70000000000178',
    expected: {
      kind: 'message',
      streamXid: null,
      isTransactional: false,
      lsn: toLsn(24_712_664n),
      prefix: 'np',
      content: Uint8Array.of(0x78),
    },
  },
  {
    ...v1,
    title: 'commit',
    hex: '430000000000017913f000000000017915a0000303e52c5e14b1',
    expected: {
      kind: 'commit',
      commitLsn: toLsn(24_712_176n),
      endLsn: toLsn(24_712_608n),
      committedAtMicros: 848_707_756_889_265n,
    },
  },
  {
    ...v1,
    title: "origin: pg_replication_origin_xact_setup('0/ABCDEF12', …) of 'origín'",
    hex: '4f00000000abcdef126f726967c3ad6e00',
    expected: { kind: 'origin', originLsn: toLsn(0xabcdef12n), name: 'origín' },
  },
  {
    ...v3,
    title: "begin prepare: prepare transaction 'gid-ü'",
    hex: '6200000000017916b800000000017917b0000303e52c5e19a4000002fa6769642dc3bc00',
    expected: {
      kind: 'begin-prepare',
      prepareLsn: toLsn(24_712_888n),
      endLsn: toLsn(24_713_136n),
      preparedAtMicros: 848_707_756_890_532n,
      xid: 762,
      gid: 'gid-ü',
    },
  },
  {
    ...v3,
    title: 'prepare',
    hex: '500000000000017916b800000000017917b0000303e52c5e19a4000002fa6769642dc3bc00',
    expected: {
      kind: 'prepare',
      prepareLsn: toLsn(24_712_888n),
      endLsn: toLsn(24_713_136n),
      preparedAtMicros: 848_707_756_890_532n,
      xid: 762,
      gid: 'gid-ü',
    },
  },
  {
    ...v3,
    title: 'commit prepared',
    hex: '4b0000000000017917b000000000017917f0000303e52c5e1b54000002fa6769642dc3bc00',
    expected: {
      kind: 'commit-prepared',
      commitLsn: toLsn(24_713_136n),
      endLsn: toLsn(24_713_200n),
      committedAtMicros: 848_707_756_890_964n,
      xid: 762,
      gid: 'gid-ü',
    },
  },
  {
    ...v3,
    title: 'rollback prepared',
    hex: '7200000000000179196800000000017919a0000303e52c5e1cd2000303e52c5e1e14000002fb6769642d3200',
    expected: {
      kind: 'rollback-prepared',
      prepareEndLsn: toLsn(24_713_576n),
      rollbackEndLsn: toLsn(24_713_632n),
      preparedAtMicros: 848_707_756_891_346n,
      rolledBackAtMicros: 848_707_756_891_668n,
      xid: 763,
      gid: 'gid-2',
    },
  },
  {
    ...v4,
    title: 'stream start',
    hex: '53000002f701',
    expected: { kind: 'stream-start', xid: 759, isFirstSegment: true },
  },
  {
    ...v4Streamed,
    title: 'insert of a subtransaction in a streamed block',
    hex: '49000002f80000400e4e00027400000001387400000003737562',
    expected: {
      kind: 'insert',
      streamXid: 760,
      relationOid: 16_398,
      oldKind: 'none',
      old: null,
      new: [text('8'), text('sub')],
    },
  },
  {
    ...v4Streamed,
    title: "message in a streamed block: pg_logical_emit_message(true, 'préfix', 'héllo')",
    hex: '4d000002f70100000000017905407072c3a9666978000000000668c3a96c6c6f',
    expected: {
      kind: 'message',
      streamXid: 759,
      isTransactional: true,
      lsn: toLsn(24_708_416n),
      prefix: 'préfix',
      content: new TextEncoder().encode('héllo'),
    },
  },
  {
    ...v4Streamed,
    title: 'origin in a streamed block: no xid',
    hex: '4f00000000000000006f726967c3ad6e00',
    expected: { kind: 'origin', originLsn: toLsn(0n), name: 'origín' },
  },
  { ...v4Streamed, title: 'stream stop', hex: '45', expected: { kind: 'stream-stop' } },
  {
    ...v4,
    title: 'stream abort, parallel: rollback to savepoint',
    hex: '41000002f7000002f800000000017905f0000303e52c5e1079',
    expected: {
      kind: 'stream-abort',
      xid: 759,
      subxid: 760,
      abortLsn: toLsn(24_708_592n),
      abortedAtMicros: 848_707_756_888_185n,
    },
  },
  {
    ...v4,
    title: 'stream commit',
    hex: '63000002f70000000000017913f000000000017915a0000303e52c5e14b1',
    expected: {
      kind: 'stream-commit',
      xid: 759,
      commitLsn: toLsn(24_712_176n),
      endLsn: toLsn(24_712_608n),
      committedAtMicros: 848_707_756_889_265n,
    },
  },
  {
    ...v4,
    title: 'stream prepare',
    hex: '700000000000017916b800000000017917b0000303e52c5e19a4000002fa6769642dc3bc00',
    expected: {
      kind: 'stream-prepare',
      prepareLsn: toLsn(24_712_888n),
      endLsn: toLsn(24_713_136n),
      preparedAtMicros: 848_707_756_890_532n,
      xid: 762,
      gid: 'gid-ü',
    },
  },
]
