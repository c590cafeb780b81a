/** Random pgoutput messages for property tests, as the plain descriptions of message-builder.ts. */
import fc from 'fast-check'
import type { Message } from '../../src/pgoutput/messages.ts'
import { type TupleColumn, UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import type { MessageSpec, SpecOfKind } from './message-builder.ts'

/** OIDs and xids: the whole unsigned range, its ends more often. */
const uint32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
)
const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff })
const lsn: fc.Arbitrary<Lsn> = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(toLsn)
const micros = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
/** Any Unicode but the zero character, which ends a string on the wire. */
const name = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replaceAll('\0', ''))
/** The empty name on the wire means pg_catalog, so that an empty schema never comes out. */
const schema = name.map((value) => (value === '' ? 'pg_catalog' : value))
const streamXid = fc.option(uint32)

const column: fc.Arbitrary<TupleColumn> = fc.oneof(
  fc.constantFrom(null, UNCHANGED),
  fc.record({
    format: fc.constantFrom('text' as const, 'binary' as const),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
)
const columns = fc.array(column, { maxLength: 12 })

const update: fc.Arbitrary<SpecOfKind<'update'>> = fc
  .record({
    kind: fc.constant('update' as const),
    streamXid,
    relationOid: uint32,
    oldKind: fc.constantFrom('none' as const, 'key' as const, 'full' as const),
    old: columns,
    new: columns,
  })
  .map((spec) => (spec.oldKind === 'none' ? { ...spec, old: null } : spec))

const abortInfo = fc.oneof(
  fc.constant({ abortLsn: null, abortedAtMicros: null }),
  fc.record({ abortLsn: lsn, abortedAtMicros: micros }),
)

const prepared = { prepareLsn: lsn, endLsn: lsn, preparedAtMicros: micros, xid: uint32, gid: name }
const committed = { commitLsn: lsn, endLsn: lsn, committedAtMicros: micros }

/** One arbitrary for each kind of message; the type keeps the table complete. */
export const MESSAGE_ARBITRARIES: { readonly [K in Message['kind']]: fc.Arbitrary<SpecOfKind<K>> } = {
  begin: fc.record({
    kind: fc.constant('begin'),
    finalLsn: lsn,
    committedAtMicros: micros,
    xid: uint32,
  }),
  commit: fc.record({ kind: fc.constant('commit'), ...committed }),
  origin: fc.record({ kind: fc.constant('origin'), originLsn: lsn, name }),
  relation: fc.record({
    kind: fc.constant('relation'),
    streamXid,
    oid: uint32,
    schema,
    table: name,
    replicaIdentity: fc.constantFrom('default', 'nothing', 'full', 'index'),
    columns: fc.array(fc.record({ name, typeOid: uint32, typeModifier: int32, isKey: fc.boolean() }), {
      maxLength: 12,
    }),
  }),
  type: fc.record({ kind: fc.constant('type'), streamXid, oid: uint32, schema, name }),
  insert: fc.record({
    kind: fc.constant('insert'),
    streamXid,
    relationOid: uint32,
    oldKind: fc.constant('none'),
    old: fc.constant(null),
    new: columns,
  }),
  update,
  delete: fc.record({
    kind: fc.constant('delete'),
    streamXid,
    relationOid: uint32,
    oldKind: fc.constantFrom('key', 'full'),
    old: columns,
    new: fc.constant(null),
  }),
  truncate: fc.record({
    kind: fc.constant('truncate'),
    streamXid,
    relationOids: fc.array(uint32, { maxLength: 12 }),
    isCascade: fc.boolean(),
    isRestartIdentity: fc.boolean(),
  }),
  message: fc.record({
    kind: fc.constant('message'),
    streamXid,
    isTransactional: fc.boolean(),
    lsn,
    prefix: name,
    content: fc.uint8Array({ maxLength: 40 }),
  }),
  'stream-start': fc.record({
    kind: fc.constant('stream-start'),
    xid: uint32,
    isFirstSegment: fc.boolean(),
  }),
  'stream-stop': fc.record({ kind: fc.constant('stream-stop') }),
  'stream-commit': fc.record({ kind: fc.constant('stream-commit'), xid: uint32, ...committed }),
  'stream-abort': fc
    .record({ xid: uint32, subxid: uint32, info: abortInfo })
    .map(({ xid, subxid, info }) => ({ kind: 'stream-abort', xid, subxid, ...info })),
  'begin-prepare': fc.record({ kind: fc.constant('begin-prepare'), ...prepared }),
  prepare: fc.record({ kind: fc.constant('prepare'), ...prepared }),
  'commit-prepared': fc.record({
    kind: fc.constant('commit-prepared'),
    ...committed,
    xid: uint32,
    gid: name,
  }),
  'rollback-prepared': fc.record({
    kind: fc.constant('rollback-prepared'),
    prepareEndLsn: lsn,
    rollbackEndLsn: lsn,
    preparedAtMicros: micros,
    rolledBackAtMicros: micros,
    xid: uint32,
    gid: name,
  }),
  'stream-prepare': fc.record({ kind: fc.constant('stream-prepare'), ...prepared }),
}

/** A message of any kind. */
export const anyMessage: fc.Arbitrary<MessageSpec> = fc.oneof(...Object.values(MESSAGE_ARBITRARIES))
