/** What a gateway that has just come shows of the first entries of a stream. */
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { EntryBuilder } from '../../src/broker/entry-builder.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import { type Epoch, placeBefore } from '../../src/broker/epoch.ts'
import { EpochFollower } from '../../src/broker/epoch-follower.ts'
import { EpochStore } from '../../src/broker/epoch-store.ts'
import { openRedisConnection, type RedisConnection } from '../../src/broker/redis-connection.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { StreamWriter } from '../../src/broker/stream-writer.ts'
import { formatTableStates } from '../../src/broker/table-states.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { silentLogger } from '../../src/log.ts'
import type { ModelTableState } from '../../src/source/model-tables.ts'
import { createRowSecurityJudge } from '../../src/source/row-security.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { encodeMessage, type MessageSpec, text } from '../support/message-builder.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'

const FLOOR = toLsn(100n)
const COMMIT = toLsn(200n)
const TAG = 16_400
const newRegistry = () => createRelationRegistry({ catalog, models: [catalog.models.Tag] })

/** A table whose policies bind everybody. */
const SECURED: ModelTableState = {
  ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
  ...{ unpublishedColumns: [], rowSecurityExempt: [], published: null, standing: 'verified' },
}

const MESSAGES: readonly MessageSpec[] = [
  { kind: 'begin', finalLsn: COMMIT, committedAtMicros: 5n, xid: 7 },
  {
    ...{
      kind: 'relation',
      streamXid: null,
      oid: TAG,
      schema: 'public',
      table: 'Tag',
      replicaIdentity: 'full',
    },
    columns: [
      { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
      { name: 'name', typeOid: 1043, typeModifier: 64, isKey: true },
      { name: 'color', typeOid: 1042, typeModifier: 11, isKey: true },
    ],
  },
  {
    ...{ kind: 'insert', streamXid: null, relationOid: TAG, oldKind: 'none', old: null },
    new: [text('1'), text('secret'), null],
  },
  { kind: 'commit', commitLsn: COMMIT, endLsn: toLsn(208n), committedAtMicros: 5n },
]

/** A tap's first batch: tables, relations, entry and mark. */
function writeFirst(
  connection: RedisConnection,
  store: EpochStore,
  tables: readonly ModelTableState[],
): void {
  const keys = store.keys.epoch('one')
  const last = placeBefore(FLOOR)
  const writer = new StreamWriter({
    ...{ connection, keys, writerId: 'tap', last, replicas: 0 },
    ...{ onAccepted() {}, onPressure() {} },
    onFailure: (error) => expect.fail(error.message),
  })
  const builder = new EntryBuilder(newRegistry(), {
    ...{ onBegin() {}, onDrift() {}, onRecovery() {} },
    onRelation: ({ digest, bytes }) => writer.addCommand(['HSET', keys.relations, digest, bytes]),
    onEntry: (entry) => writer.addEntry(entry),
    onCommit: (lsn) => writer.addMark(lsn),
  })
  builder.reset(last)
  writer.addTables(formatTableStates(tables))
  for (const spec of MESSAGES) {
    const bytes = Buffer.from(encodeMessage(spec))
    builder.take(bytes, 0, bytes.length)
  }
  writer.release()
}

/** Follows a stream whose tap writes its first batch once the gateway has come. @returns models of what was shown */
async function shownOf(url: string, slot: string, tables: readonly ModelTableState[]): Promise<string[]> {
  const connection = await openRedisConnection({ url, name: slot })
  const store = new EpochStore('rowcast', slot)
  store.useSystem('7')
  const epoch: Epoch = {
    ...{ id: 'one', systemId: '7', timeline: 1, floor: placeBefore(FLOOR) },
    kind: 'refilled',
    ...{ serverLsn: FLOOR, previous: null, reason: null, isOpen: true },
  }
  await store.create(connection, epoch, { lsn: FLOOR, last: epoch.floor, writer: 'tap', tables: null }, 1)
  const shown: string[] = []
  const [registry, relations] = [newRegistry(), new RelationCache()]
  let opened: Lsn | null = null
  const bus = createMemoryBus()
  const follower = new EpochFollower({
    ...{ store, relations, registry, bus, publication: 'rowcast', logger: silentLogger, preloadBytes: 1_000 },
    judgeTable: createRowSecurityJudge({
      ...{ role: 'app', answered: new Set<string>(), isRefusing: true, logger: silentLogger },
    }),
    createFeeder(output, position) {
      opened = position.lsn
      const publish: typeof output.publish = (part) => {
        for (const { model } of part.changes) shown.push(model)
      }
      return new EntryFeeder(
        { registry, relations, softDelete: new Map(), output: { ...output, publish } },
        position,
      )
    },
    ...{ onMessage() {}, onProgress() {}, isStale: () => false },
  })
  const stop = new AbortController()
  const reader = await openRedisConnection({ url, name: `${slot}-reader` })
  const following = follower.follow(reader, stop.signal)
  await expect.poll(() => opened).not.toBe(null)
  writeFirst(connection, store, tables)
  await expect.poll(() => follower.position?.lsn, { timeout: 20_000 }).toBe(COMMIT)
  stop.abort()
  await following
  reader.destroy()
  connection.destroy()
  return shown
}

describe.skipIf(NO_REDIS !== null)('a gateway that comes before its tap', () => {
  it('shows nothing of a model before it knows who may see it', async () => {
    await using redis = await openRedis()
    expect(await shownOf(redis.url, 'open', [{ ...SECURED, rowSecurityExempt: null }])).toEqual(['Tag'])
    expect(await shownOf(redis.url, 'secured', [SECURED])).toEqual([])
  })
})
