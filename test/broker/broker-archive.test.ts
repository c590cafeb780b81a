/** What is read of a stream with a gap in it, by those who ask for all that there is. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BrokerArchive } from '../../src/broker/broker-archive.ts'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import { compareEntryIds, type EntryId } from '../../src/broker/entry-id.ts'
import type { BrokerEngine } from '../../src/broker/entry-log.ts'
import type { EpochStore } from '../../src/broker/epoch-store.ts'
import { noteLastPositions } from '../../src/broker/last-positions.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import type { ChangePosition } from '../../src/changes/change.ts'
import { comparePositions, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES } from '../support/broker-engines.ts'
import {
  createEpoch,
  EPOCH,
  insertTag,
  insertTagAndMessages,
  newTagRegistry,
  ownMessage,
  writeBatch,
} from '../support/broker-stream.ts'
import type { MessageSpec } from '../support/message-builder.ts'

/** Names of all rows, as far as the archive gives them. */
async function readNames(archive: BrokerArchive): Promise<string[]> {
  const names: string[] = []
  const reader = archive.read('Tag', null)
  for (let parts = await reader.next(); parts.length > 0; parts = await reader.next())
    for (const { changes } of parts) for (const change of changes) names.push(String(change.new?.['name']))
  return names
}

const lsnOf = (number: number) => toLsn(BigInt(200 + number * 100))

/** A row of Tag. */
interface Row {
  readonly name: string
  readonly position: ChangePosition
  /** Messages count, too. */
  readonly record: EntryId
}

/** Those of a transaction, which has messages where there is no row. */
function rowsOf(kinds: readonly (string | null)[], number: number): readonly Row[] {
  let index = 0
  return kinds.flatMap((kind, at) =>
    kind === null
      ? []
      : [
          {
            name: `${number}.${at}`,
            position: { commitLsn: lsnOf(number), index: index++ },
            record: { lsn: lsnOf(number), sequence: at },
          },
        ],
  )
}

/** Steps that may bring nothing, of messages alone, before what follows. */
const QUIET_STEPS = 5

/** Names of all rows after the position, or the code of what is thrown. */
async function readAfter(archive: BrokerArchive, after: ChangePosition): Promise<unknown> {
  const names: string[] = []
  const reader = archive.read('Tag', after)
  try {
    for (let quiet = 0; quiet < QUIET_STEPS; quiet += 1) {
      const parts = await reader.next()
      if (parts.length > 0) quiet = 0
      for (const { changes, transaction } of parts) {
        for (const change of changes) {
          const position = { commitLsn: transaction.commitLsn, index: change.index }
          if (comparePositions(position, after) > 0) names.push(String(change.new?.['name']))
        }
      }
    }
  } catch (error) {
    return (error as { readonly code?: unknown }).code
  }
  return names
}

/** What a gateway reads older entries with. */
function openArchive(engine: BrokerEngine, store: EpochStore, epoch = EPOCH, runtime = systemRuntime) {
  const relations = new RelationCache()
  return new BrokerArchive({
    ...{ engine, name: 'archive', store, relations, runtime },
    ...{ epochNow: () => epoch, safeNow: () => 7_000n },
    createFeeder: (output, position) =>
      new EntryFeeder({ registry: newTagRegistry(), relations, softDelete: new Map(), output }, position),
  })
}

describe.each(TESTED_ENGINES)('in $name, all that the stream has of a model', ({ start }) => {
  it('begins with a whole transaction, also where the stream was trimmed within one', async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const store = await createEpoch(connection, 'slot')
    const large = Array.from({ length: 1_200 }, () => 'large')
    await writeBatch(
      connection,
      store,
      [],
      [...insertTag(toLsn(200n), ...large), ...insertTag(toLsn(5_000n), 'next')],
    )
    const key = store.keys.epoch(EPOCH.id).changes
    const before = await connection.countEntries(key)
    await broker.trim(key, { lsn: toLsn(200n), sequence: 600 })
    expect(before - (await connection.countEntries(key))).toBe(2)
    const archive = openArchive(broker.engine, store)
    expect(await readNames(archive)).toEqual(['next'])
    await archive.close()
    connection.destroy()
  })

  it('goes across no gap, however much stands before it', async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const store = await createEpoch(connection, 'slot')
    const barrier = JSON.stringify({ barrier: 1, slot: 'slot', published: {}, cut: ['Tag'], cleanFrom: '0' })
    const lsns = Array.from({ length: 20 }, (_, number) => toLsn(BigInt(200 + number * 100)))
    const messages = lsns.flatMap((lsn) => insertTag(lsn, 'before'))
    messages.push(...ownMessage(toLsn(5_000n), barrier), ...insertTag(toLsn(6_000n), 'after'))
    await writeBatch(connection, store, [], messages)
    const relations = new RelationCache()
    const archive = new BrokerArchive({
      ...{
        engine: broker.engine,
        name: 'archive',
        store,
        relations,
        epochNow: () => EPOCH,
        safeNow: () => 7_000n,
      },
      createFeeder: (output, position) =>
        new EntryFeeder({ registry: newTagRegistry(), relations, softDelete: new Map(), output }, position),
    })
    await expect(readNames(archive)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    // Whoever asks again begins after it.
    expect(await readNames(archive)).toEqual(['after'])
    await archive.close()
    connection.destroy()
  })
})

describe.each(TESTED_ENGINES)('in $name, a cursor older than what the stream has kept', ({ name, start }) => {
  /** A row of Tag, then what others wrote, of which only the newest is left. */
  async function openTrimmed(slot: string, between: readonly MessageSpec[]) {
    const broker = await start()
    const connection = await broker.open('tap')
    const store = await createEpoch(connection, slot)
    const others = Array.from({ length: 5 }, (_, n) =>
      ownMessage(toLsn(BigInt(1_000 + 100 * n)), '{}'),
    ).flat()
    await writeBatch(connection, store, [], [...insertTag(toLsn(200n), 'seen'), ...between, ...others])
    await broker.trim(store.keys.epoch(EPOCH.id).changes, { lsn: toLsn(1_200n), sequence: 0 })
    const archive = openArchive(broker.engine, store)
    return {
      lasts: store.keys.epoch(EPOCH.id).lasts,
      broker,
      next: (model: string, lsn: bigint) => archive.read(model, { commitLsn: toLsn(lsn), index: 0 }).next(),
      async [Symbol.asyncDispose]() {
        await archive.close()
        connection.destroy()
        await broker[Symbol.asyncDispose]()
      },
    }
  }

  const isInMemory = name === 'memory'
  /** Each is some dozens of connections of a server. */
  const runs = isInMemory ? 60 : 8
  const RESYNC = { code: 'RESYNC_REQUIRED' }

  it('goes on where nothing of its model came after it, and nowhere else', async () => {
    await using trimmed = await openTrimmed('quiet', [])
    expect(await trimmed.next('Tag', 200n)).toEqual([])
    expect(await trimmed.next('User', 150n)).toEqual([])
    await expect(trimmed.next('Tag', 150n)).rejects.toMatchObject(RESYNC)
    // From before the epoch: nobody knows.
    await expect(trimmed.next('User', 50n)).rejects.toMatchObject(RESYNC)
    await trimmed.broker.drop(trimmed.lasts)
    await expect(trimmed.next('Tag', 200n)).rejects.toMatchObject(RESYNC)
  })

  it('does not go on across a gap of its model, whose entry is gone', async () => {
    const barrier = JSON.stringify({ barrier: 1, slot: 'cut', published: {}, cut: ['Tag'], cleanFrom: '0' })
    await using trimmed = await openTrimmed('cut', ownMessage(toLsn(500n), barrier))
    await expect(trimmed.next('Tag', 200n)).rejects.toMatchObject(RESYNC)
    await expect(trimmed.next('Tag', 500n)).rejects.toMatchObject(RESYNC)
    expect(await trimmed.next('Tag', 501n)).toEqual([])
    expect(await trimmed.next('User', 200n)).toEqual([])
  })

  it('looks no further than to where its model had changed, and reads on in turns', async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const store = await createEpoch(connection, 'long')
    const others = Array.from({ length: 700 }, (_, n) => ownMessage(toLsn(BigInt(1_000 + 8 * n)), '{}'))
    const messages = [
      ...insertTag(toLsn(200n), 'seen'),
      ...others.flat(),
      ...insertTag(toLsn(90_000n), 'after'),
    ]
    await writeBatch(connection, store, [], messages)
    const { changes } = store.keys.epoch(EPOCH.id)
    await broker.trim(changes, { lsn: toLsn(1_080n), sequence: 0 })
    let reads = 0
    const engine: BrokerEngine = {
      ...broker.engine,
      async open(options) {
        const log = await broker.engine.open(options)
        const readEntries = log.readEntries.bind(log)
        log.readEntries = (...asked) => {
          reads += 1
          return readEntries(...asked)
        }
        return log
      },
    }
    const archive = openArchive(engine, store)
    const reader = archive.read('Tag', { commitLsn: toLsn(200n), index: 0 })
    // What is met meanwhile is not of the model, and whoever asks may let it be.
    expect(await reader.next()).toEqual([])
    expect(reader.position.commitLsn).toBe(200n)
    expect(reads).toBeLessThan(80)
    const names: unknown[] = []
    while (names.length === 0)
      for (const { changes: found } of await reader.next())
        for (const change of found) names.push(change.new?.['name'])
    expect(names).toEqual(['after'])

    // The only change after the cursor is gone: what comes after it is not read for whoever asks.
    reads = 0
    await expect(archive.read('Tag', { commitLsn: toLsn(150n), index: 0 }).next()).resolves.toEqual([])
    const position = { commitLsn: toLsn(200n), index: 0 }
    await broker.write(noteLastPositions(store.keys.epoch(EPOCH.id), new Map([['Tag', position]])))
    reads = 0
    await expect(archive.read('Tag', { commitLsn: toLsn(150n), index: 0 }).next()).rejects.toMatchObject(
      RESYNC,
    )
    expect(reads).toBe(1)
    await archive.close()
  })

  it('goes on exactly where nothing of its model after it was dropped, wherever the stream was trimmed', {
    timeout: 60_000,
  }, async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const transactions = fc.array(fc.array(fc.constantFrom('tag', null), { minLength: 1, maxLength: 5 }), {
      minLength: 2,
      maxLength: 8,
    })
    const outcomes = { resynced: 0, resumed: 0 }
    let run = 0
    await fc.assert(
      fc.asyncProperty(transactions, fc.nat(7), async (all, dropped) => {
        run += 1
        const store = await createEpoch(connection, `run${run}`)
        const rows = all.flatMap(rowsOf)
        const messages = all.flatMap((kinds, number) =>
          insertTagAndMessages(
            lsnOf(number),
            kinds.map((kind, at) => kind && `${number}.${at}`),
          ),
        )
        await writeBatch(connection, store, [], messages, {
          ...EPOCH,
          bounds: { recordsMax: 2, bytesMax: 1e6 },
        })
        const key = store.keys.epoch(EPOCH.id).changes
        const ids = (await connection.readEntries(key, {})).map(({ id }) => id)
        const first = ids[Math.min(dropped, ids.length - 1)] as EntryId
        await broker.trim(key, first)
        /** A record is in the first entry that does not end before it. */
        const isKept = ({ record }: Row) =>
          compareEntryIds(ids.find((id) => compareEntryIds(id, record) >= 0) ?? first, first) >= 0
        const archive = openArchive(broker.engine, store)
        const ends = all.map((_, number) => ({ commitLsn: lsnOf(number), index: INDEX_AFTER_ALL }))
        for (const cursor of [...rows.map(({ position }) => position), ...ends]) {
          const wanted = rows.filter(({ position }) => comparePositions(position, cursor) > 0)
          const isWhole = wanted.every(isKept)
          const names = isWhole ? wanted.map(({ name }) => name) : 'RESYNC_REQUIRED'
          expect(await readAfter(archive, cursor), `after ${cursor.commitLsn}-${cursor.index}`).toEqual(names)
          outcomes[isWhole ? 'resumed' : 'resynced'] += 1
        }
        await archive.close()
      }),
      {
        numRuns: runs,
        examples: [
          // Both come out.
          [[['tag'], ['tag'], ['tag']], 3],
          // One step brings no row.
          [[['tag', null, null], [null, null, null], [null, null, null], [null], ['tag', 'tag', 'tag']], 0],
        ],
      },
    )
    connection.destroy()
    expect(Math.min(outcomes.resumed, outcomes.resynced)).toBeGreaterThan(isInMemory ? 30 : 0)
  })
})

describe.each(TESTED_ENGINES)('in $name, a cursor ahead of a stream that catches up', ({ start }) => {
  it('is good up to where the server was when the epoch began, however long that takes', async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const epoch = { ...EPOCH, serverLsn: toLsn(9_000n) }
    const store = await createEpoch(connection, 'catching-up', epoch)
    await writeBatch(connection, store, [], insertTag(toLsn(6_900n), 'of before'))
    let nowMs = 0
    // Each look is beyond all patience.
    const monotonicMs = () => (nowMs += 60_000)
    const archive = openArchive(broker.engine, store, epoch, { ...systemRuntime, monotonicMs })
    const hasReached = (commitLsn: bigint) => archive.hasReached({ commitLsn: toLsn(commitLsn), index: 0 })
    expect(await hasReached(8_999n)).toBe(true)
    expect(await hasReached(9_000n)).toBe(false)
    await archive.close()
    connection.destroy()
  })
})
