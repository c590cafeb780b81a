/** What a gateway that has just come shows of the first entries of a stream. */
import { describe, expect, it } from 'vitest'
import type { EntryBounds } from '../../src/broker/entry-builder.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import type { EntryLog } from '../../src/broker/entry-log.ts'
import { EpochFollower } from '../../src/broker/epoch-follower.ts'
import type { EpochStore } from '../../src/broker/epoch-store.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { AFTER_EARLIEST, type InProcessBus } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ModelTableState } from '../../src/source/setup/model-tables.ts'
import { createRowSecurityJudge } from '../../src/source/setup/row-security.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES, type TestBroker } from '../support/broker-engines.ts'
import { createEpoch, EPOCH, insertTag, newTagRegistry, writeBatch } from '../support/broker-stream.ts'
import type { MessageSpec } from '../support/message-builder.ts'

const COMMIT = toLsn(200n)

/** A table whose policies bind everybody. */
const SECURED: ModelTableState = {
  ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
  ...{ unpublishedColumns: [], rowSecurityExempt: [], published: null, standing: 'verified' },
}

/** Follows a stream whose tap writes its first batch once the gateway has come. @returns models of what was shown */
async function shownOf(
  broker: TestBroker,
  slot: string,
  tables: readonly ModelTableState[],
  models = ['Tag'],
): Promise<string[]> {
  const connection = await broker.open(slot)
  const store = await createEpoch(connection, slot)
  const shown: string[] = []
  const onPart = (part: TransactionPart) => {
    for (const { model } of part.changes) shown.push(model)
  }
  await followOne(broker, { slot, tables, models, connection, store, onPart, bus: createMemoryBus() })
  return shown
}

interface Following {
  readonly slot: string
  readonly tables: readonly ModelTableState[]
  readonly models: readonly string[]
  readonly connection: EntryLog
  readonly store: EpochStore
  readonly bus: InProcessBus
  readonly onPart: (part: TransactionPart) => void
  /** What the tap writes, up to COMMIT. @default one row */
  readonly messages?: readonly MessageSpec[]
  readonly bounds?: EntryBounds
  /** Whether it may end though nothing was read. */
  readonly isDone?: () => boolean
  /** Called when all of it has been read; `reads` counts each look at the stream. */
  readonly onRead?: (follower: EpochFollower, reads: () => number) => Promise<void>
}

async function followOne(
  broker: TestBroker,
  {
    slot,
    tables,
    models,
    connection,
    store,
    bus,
    onPart,
    messages = insertTag(COMMIT, 'secret'),
    bounds,
    isDone = () => false,
    onRead,
  }: Following,
): Promise<void> {
  const [registry, relations] = [newTagRegistry(), new RelationCache()]
  let reads = 0
  const follower = new EpochFollower({
    ...{ store, relations, registry, bus, publication: 'rowcast', preloadBytes: 1_000 },
    ...{ models, blockMs: 1_000, watchIntervalMs: 1_000 },
    judgeTable: createRowSecurityJudge({
      ...{ role: 'app', answered: new Set<string>(), isRefusing: true, logger: silentLogger },
    }),
    createFeeder(output, position) {
      const publish: typeof output.publish = (part) => {
        onPart(part)
        output.publish(part)
      }
      return new EntryFeeder(
        { registry, relations, softDelete: new Map(), output: { ...output, publish } },
        position,
      )
    },
    ...{ onMessage() {}, isStale: () => false, logger: silentLogger },
    onProgress() {
      reads += 1
    },
  })
  const stop = new AbortController()
  const reader = await broker.open(`${slot}-reader`)
  const following = follower.follow(reader, stop.signal)
  following.catch(() => {})
  await expect.poll(() => follower.epoch).not.toBe(null)
  await writeBatch(connection, store, tables, messages, { ...EPOCH, ...(bounds && { bounds }) })
  await expect.poll(() => isDone() || follower.position?.lsn === COMMIT, { timeout: 20_000 }).toBe(true)
  await onRead?.(follower, () => reads)
  stop.abort()
  await following
  reader.destroy()
  connection.destroy()
}

describe.each(TESTED_ENGINES)('in $name, a gateway that comes before its tap', ({ start }) => {
  it('shows nothing of a model before it knows who may see it', async () => {
    await using broker = await start()
    expect(await shownOf(broker, 'open', [{ ...SECURED, rowSecurityExempt: null }])).toEqual(['Tag'])
    expect(await shownOf(broker, 'secured', [SECURED])).toEqual([])
  })
})

/** The same transaction of a table whose column has another type yet. */
function beforeMigration(messages: readonly MessageSpec[]): readonly MessageSpec[] {
  return messages.map((message) => {
    if (message.kind !== 'relation') return message
    const columns = message.columns.map((each) => (each.name === 'name' ? { ...each, typeOid: 23 } : each))
    return { ...message, columns }
  })
}

describe.each(TESTED_ENGINES)(
  'in $name, a gateway that cannot read the first of the entries',
  ({ start }) => {
    it('goes on after no cursor from among them: another gateway could read some of them', async () => {
      await using broker = await start()
      const connection = await broker.open('migrated')
      const store = await createEpoch(connection, 'migrated')
      const bus = createMemoryBus()
      const commits = [110n, 120n, 130n].map(toLsn)
      await followOne(broker, {
        ...{ slot: 'migrated', tables: [{ ...SECURED, rowSecurityExempt: null }], models: ['Tag'] },
        ...{ connection, store, bus, onPart() {} },
        messages: [
          ...commits.flatMap((commit) => beforeMigration(insertTag(commit, '7'))),
          ...insertTag(COMMIT, 'after'),
        ],
      })
      const next = async (commit: Lsn) => {
        const after = formatCursor({ systemId: EPOCH.systemId, timeline: EPOCH.timeline }, commit, 0)
        const end = await bus
          .subscribe({ model: 'Tag', after })
          .next()
          .catch((error: unknown) => error)
        return isRowcastError(end, 'RESYNC_REQUIRED') ? end.code : end
      }
      // Of what follows on 110, 120 and 130 are missing here.
      expect(await Promise.all(commits.map(next))).toEqual(commits.map(() => 'RESYNC_REQUIRED'))
    })
  },
)

describe.each(TESTED_ENGINES)('in $name, a gateway that fails while it hands a change on', ({ start }) => {
  it('ends everybody, as nobody knows who has got it', async () => {
    await using broker = await start()
    const connection = await broker.open('torn')
    const store = await createEpoch(connection, 'torn')
    const bus = createMemoryBus()
    const publish = bus.publish.bind(bus)
    let failures = 0
    bus.publish = (part) => {
      publish(part)
      failures += 1
      throw new TypeError('of a socket')
    }
    const subscription = bus.subscribe({ model: 'Tag', after: AFTER_EARLIEST })
    await followOne(broker, {
      ...{ slot: 'torn', tables: [{ ...SECURED, rowSecurityExempt: null }], models: ['Tag'] },
      ...{ connection, store, bus, onPart() {}, isDone: () => failures > 0 },
    })
    const torn = { code: 'RESYNC_REQUIRED', details: { reason: 'delivery-failed' } }
    await expect(subscription.next()).rejects.toMatchObject(torn)
  })

  it('does so, too, where a document about the tables came within a transaction', async () => {
    await using broker = await start()
    const connection = await broker.open('torn-within')
    const store = await createEpoch(connection, 'torn-within')
    const bus = createMemoryBus()
    const publish = bus.publish.bind(bus)
    const parts: TransactionPart[] = []
    let isFailing = false
    bus.publish = (part) => {
      if (isFailing) throw new TypeError('of a socket')
      publish(part)
    }
    const subscription = bus.subscribe({ model: 'Tag', after: AFTER_EARLIEST })
    const open = toLsn(300n)
    const following = followOne(broker, {
      ...{ slot: 'torn-within', tables: [{ ...SECURED, rowSecurityExempt: null }], models: ['Tag'] },
      ...{ connection, store, bus, onPart: (part) => void parts.push(part), isDone: () => parts.length > 0 },
      messages: [...insertTag(COMMIT, 'whole'), ...insertTag(open, 'read', 'on its way').slice(0, -1)],
      bounds: { recordsMax: 1, bytesMax: 1_000 },
      async onRead(follower) {
        await subscription.next()
        await expect.poll(() => follower.position?.lsn, { timeout: 20_000 }).toBe(open)
        isFailing = true
        // No mark comes: the document is read again.
        await expect.poll(() => parts.length, { timeout: 20_000 }).toBe(2)
        isFailing = false
        const reader = await broker.open('torn-within-again')
        const stop = new AbortController()
        const again = follower.follow(reader, stop.signal)
        const torn = { code: 'RESYNC_REQUIRED', details: { reason: 'delivery-failed' } }
        await expect(subscription.next()).rejects.toMatchObject(torn)
        stop.abort()
        await again
        reader.destroy()
      },
    })
    await expect(following).rejects.toThrow(TypeError)
  })
})

describe.each(TESTED_ENGINES)('in $name, a gateway behind a gap', ({ start }) => {
  it('is ready once the tap has come to where the server was: what lies before came to clients already, or is in the rows that they query', async () => {
    await using broker = await start()
    const connection = await broker.open('far-behind')
    const server = toLsn(1_000n)
    const store = await createEpoch(connection, 'far-behind', { ...EPOCH, serverLsn: server })
    const tables = [{ ...SECURED, rowSecurityExempt: null }]
    await followOne(broker, {
      ...{ slot: 'far-behind', tables, models: ['Tag'], connection, store, bus: createMemoryBus() },
      onPart() {},
      async onRead(follower, reads) {
        const heard = reads()
        await expect.poll(reads, { timeout: 20_000 }).toBeGreaterThan(heard + 2)
        expect(follower.isFollowing).toBe(false)
        const floor = follower.position ?? EPOCH.floor
        await writeBatch(connection, store, tables, insertTag(server, 'newest'), { id: EPOCH.id, floor })
        await expect.poll(() => follower.isFollowing, { timeout: 20_000 }).toBe(true)
      },
    })
  })
})

describe.each(TESTED_ENGINES)('in $name, a gateway that comes while a tap catches up', ({ start }) => {
  it('gives whoever comes without a cursor nothing that the server had when the epoch began', async () => {
    await using broker = await start()
    const connection = await broker.open('catching-up')
    const server = toLsn(1_000n)
    const store = await createEpoch(connection, 'catching-up', { ...EPOCH, serverLsn: server })
    const tables = [{ ...SECURED, rowSecurityExempt: null }]
    const bus = createMemoryBus()
    await followOne(broker, {
      ...{ slot: 'catching-up', tables, models: ['Tag'], connection, store, bus, onPart() {} },
      async onRead(follower) {
        const live = bus.subscribe({ model: 'Tag' })
        const write = async (commit: Lsn, name: string) => {
          const floor = follower.position ?? EPOCH.floor
          await writeBatch(connection, store, tables, insertTag(commit, name), { id: EPOCH.id, floor })
          await expect.poll(() => follower.position?.lsn, { timeout: 20_000 }).toBe(commit)
        }
        await write(toLsn(500n), 'of before')
        await write(server, 'new')
        const { value } = await live.next()
        expect(value?.change.new).toMatchObject({ name: 'new' })
      },
    })
  })
})
