/** The connections of a tap, and what leaves by them. */
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import type { BrokerEngine, EntryLog } from '../../src/broker/entry-log.ts'
import { EpochStore } from '../../src/broker/epoch-store.ts'
import { createRedisEngine } from '../../src/broker/redis/redis-log.ts'
import { createTapRelay, type TapRelay } from '../../src/broker/tap-relay.ts'
import { RowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ModelTableState } from '../../src/source/setup/model-tables.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES } from '../support/broker-engines.ts'
import { insertTag, newTagRegistry, ownMessage } from '../support/broker-stream.ts'
import { MemoryEngine } from '../support/memory-broker/memory-engine.ts'
import { encodeMessage } from '../support/message-builder.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'

function createRelay(engine: BrokerEngine, runtime = systemRuntime) {
  return createTapRelay({
    ...{ engine, runtime },
    broker: {
      prefix: null,
      replicas: 0,
      retention: { bytes: 1_000_000, minutes: 1 },
    },
    ...{ slot: 'slot', registry: newTagRegistry(), logger: silentLogger, onDrift() {}, onRecovery() {} },
  })
}

const TAG: ModelTableState = {
  ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
  ...{ unpublishedColumns: [], published: null, standing: 'verified' },
}

/** A tap that writes. */
async function openTap(engine: BrokerEngine, runtime = systemRuntime, onFailure = () => {}) {
  const relay = createRelay(engine, runtime)
  await relay.connect()
  const failures: RowcastError[] = []
  const server = { systemId: '7', timeline: 1 }
  const feed = {
    ...{ onBegin() {}, seenNow: () => LSN_ZERO, onOwnMessage() {}, onTable() {}, onDoubt() {} },
    ...{ onHandedOver() {}, onWritten() {}, onPressure() {} },
    onFailure(error: RowcastError) {
      failures.push(error)
      onFailure()
    },
  }
  let accepted = 0n
  const onAccepted = (lsn: bigint) => {
    accepted = lsn
  }
  return {
    ...{ relay, failures },
    get accepted() {
      return accepted
    },
    get root() {
      return `rowcast:7:{slot}:${relay.status().epoch}`
    },
    /** Begins a stream, right behind a report; resolves once Redis has its first mark. */
    async begin(lsn: bigint, report: () => unknown = () => {}) {
      await this.try(lsn, report)
      await expect.poll(() => accepted).toBe(lsn)
    },
    /** Begins one; `meanwhile` runs between its look at what is there and its beginning. */
    async try(lsn: bigint, meanwhile: () => unknown, gap: RowcastError | null = null) {
      await relay.readPast(server)
      await meanwhile()
      const floorLsn = toLsn(lsn)
      const start = { ...server, isFirst: false, floorLsn, serverLsn: floorLsn, gap }
      relay.begin({ ...start, continuity: { kind: 'continuous', floorLsn } }, { ...feed, onAccepted })
    },
    async [Symbol.asyncDispose]() {
      await relay.close()
    },
  }
}

async function countTaps(redis: TestRedis): Promise<number> {
  return String(await redis.command('CLIENT', 'LIST')).split('name=rowcast-tap:').length - 1
}

describe.skipIf(NO_REDIS !== null)('a tap', () => {
  it('has one connection, however many wait for it', async () => {
    await using redis = await openRedis()
    const relay = createRelay(createRedisEngine({ url: redis.url, answerTimeoutMs: 10_000 }))
    await Promise.all([relay.connect(), relay.connect()])
    expect(await countTaps(redis)).toBe(1)
    await relay.close()
  })

  it('has none once it is closed, also where one was on its way', async () => {
    await using redis = await openRedis()
    const relay = createRelay(createRedisEngine({ url: redis.url, answerTimeoutMs: 10_000 }))
    const connecting = relay.connect().catch(() => {})
    await relay.close()
    await connecting
    await expect.poll(() => countTaps(redis)).toBe(0)
  })
})

/** The engine, where a stream ends while the answer to what was decided second is on its way. */
function endingWith(engine: BrokerEngine, end: () => void): BrokerEngine {
  let updates = 0
  return {
    followMs: engine.followMs,
    async open(options) {
      const log = await engine.open(options)
      const update = log.update.bind(log)
      log.update = async (names, decide) => {
        const isWritten = await update(names, decide)
        updates += 1
        if (updates === 2) end()
        return isWritten
      }
      return log
    },
  }
}

describe.each(TESTED_ENGINES)('a tap in $name', ({ start }) => {
  it('is fenced from its first batch on, also where it reports something as its stream begins', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine)
    const { relay } = tap
    await tap.begin(100n)
    relay.end()
    await tap.begin(200n, () => relay.tellTables([TAG]))
    const { root } = tap
    await broker.write({ kind: 'text', name: 'rowcast:{slot}:writer:7', text: 'another' })
    const log = await broker.open('look')
    const marks = () => log.readEntries(`${root}:marks`, {})
    const before = await marks()
    relay.keepalive(toLsn(300n))
    await expect.poll(() => tap.failures[0]?.code).toBe('BROKER_STREAM_CONTESTED')
    expect(await marks()).toEqual(before)
  })

  it('ends its stream also where ending it fails in rowcast itself', async () => {
    await using broker = await start()
    let faults = 1
    await using tap = await openTap(broker.engine, systemRuntime, () => {
      if (faults-- > 0) throw new TypeError('the connection is not there')
    })
    await tap.begin(100n)
    await broker.write({ kind: 'text', name: 'rowcast:{slot}:writer:7', text: 'another' })
    tap.relay.keepalive(toLsn(300n))
    const codes = () => tap.failures.map(({ code }) => code)
    await expect.poll(codes).toEqual(['BROKER_STREAM_CONTESTED', 'BROKER_STREAM_CONTESTED'])
    await tap.begin(400n)
  })

  it('stops with a typed error where something of another kind is at one of its keys, whichever it is', async () => {
    await using broker = await start()
    for (const key of ['marks', 'lasts', 'changes', 'relations']) {
      await using tap = await openTap(broker.engine)
      await tap.begin(100n)
      const { root, relay, failures } = tap
      // In one step: the tap writes marks meanwhile.
      await broker.write({ kind: 'text', name: `${root}:${key}`, text: 'x' })
      relay.tellTables([TAG])
      for (const spec of insertTag(toLsn(200n), 'a')) {
        const bytes = Buffer.from(encodeMessage(spec))
        relay.accept(bytes, 0, bytes.length)
      }
      await expect.poll(() => failures[0]?.code ?? tap.accepted, { message: key }).toBe('BROKER_REFUSED')
      expect(tap.accepted).toBe(100n)
      await broker.flush()
    }
  })

  it('goes on at once where another one has written meanwhile: what it watched before says nothing', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine)
    await tap.begin(100n)
    tap.relay.end()
    await using other = await openTap(broker.engine)
    await other.begin(200n)
    other.relay.end()
    await tap.begin(300n)
    expect(tap.failures).toEqual([])
  })

  it('does not forget a gap that it could not write: the next epoch says it', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine)
    await tap.begin(100n)
    tap.relay.end()
    await using other = await openTap(broker.engine)
    const gap = new RowcastError('RESYNC_REQUIRED', 'So it is.', {
      details: { reason: 'publication-changed' },
    })
    const begins = () => other.try(200n, () => {}, new RowcastError('RESYNC_REQUIRED', 'Another.'))
    await tap.try(
      300n,
      async () => {
        await begins()
        await expect.poll(() => other.accepted).toBe(200n)
      },
      gap,
    )
    await expect.poll(() => tap.failures[0]?.code).toBe('BROKER_STREAM_CONTESTED')
    await tap.begin(300n)
    const store = new EpochStore(null, 'slot')
    store.useSystem('7')
    const log = await broker.open('look')
    const written = await store.readNewest(log)
    expect(written).toMatchObject({ kind: 'gap', reason: 'publication-changed' })
    tap.relay.end()
    // Once it is written, it is over.
    await tap.begin(400n)
    expect(await store.readNewest(log)).toEqual(written)
  })

  it('says a gap once, also where its stream had ended by the time that it was written', async () => {
    await using broker = await start()
    await using tap = await openTap(endingWith(broker.engine, () => tap.relay.end()))
    await tap.begin(100n)
    tap.relay.end()
    const store = new EpochStore(null, 'slot')
    store.useSystem('7')
    const log = await broker.open('look')
    const gap = new RowcastError('RESYNC_REQUIRED', 'So it is.', {
      details: { reason: 'publication-changed' },
    })
    await tap.try(300n, () => {}, gap)
    await expect.poll(async () => (await store.readNewest(log))?.kind).toBe('gap')
    const written = await store.readNewest(log)
    await tap.begin(400n)
    expect(await store.readNewest(log)).toEqual(written)
  })

  it('says a gap that it had no connection for with the next beginning', async () => {
    await using broker = await start()
    const logs: EntryLog[] = []
    const { followMs } = broker.engine
    const open: BrokerEngine['open'] = async (options) => {
      const log = await broker.engine.open(options)
      logs.push(log)
      return log
    }
    await using tap = await openTap({ followMs, open })
    await tap.begin(100n)
    tap.relay.end()
    const gap = new RowcastError('RESYNC_REQUIRED', 'So it is.', { details: { reason: 'slot-lost' } })
    await tap.try(200n, () => logs[0]?.destroy(), gap)
    expect(tap.failures[0]?.code).toBe('BROKER_LOST')
    await tap.relay.connect()
    await tap.begin(200n)
    const store = new EpochStore(null, 'slot')
    store.useSystem('7')
    const written = await store.readNewest(await broker.open('look'))
    expect(written).toMatchObject({ kind: 'gap', reason: 'slot-lost' })
  })

  it('writes what it has said of tables again where somebody has damaged it, however little', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine, {
      ...systemRuntime,
      setInterval: (run, intervalMs) => systemRuntime.setInterval(run, intervalMs / 50),
    })
    await tap.begin(100n)
    tap.relay.tellTables([TAG])
    const log = await broker.open('look')
    const name = `${tap.root}:tables`
    await expect.poll(() => log.readText(name)).toContain('verified')
    const written = String(await log.readText(name))
    for (const damaged of ['', written.replace('true', 'tRue')]) {
      await broker.write({ kind: 'text', name, text: damaged })
      await expect.poll(() => log.readText(name), { message: damaged }).toBe(written)
    }
    expect(tap.failures).toEqual([])
  })

  it('says nothing of tables in a stream that begins before its first look: what it knew was of another position', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine)
    await tap.begin(100n)
    tap.relay.tellTables([TAG])
    const log = await broker.open('look')
    const first = tap.root
    await expect.poll(() => log.readText(`${first}:tables`)).toContain('verified')
    const gap = new RowcastError('RESYNC_REQUIRED', 'Lost.', { details: { reason: 'server-behind' } })
    await tap.try(50n, () => {}, gap)
    await expect.poll(() => tap.accepted).toBe(50n)
    expect(tap.root).not.toBe(first)
    expect(await log.readText(`${tap.root}:tables`)).toBeNull()
    tap.relay.tellTables([TAG])
    await expect.poll(() => log.readText(`${tap.root}:tables`)).toContain('verified')
  })

  it('notes gaps of its own models, however many names a barrier has', async () => {
    await using broker = await start()
    await using tap = await openTap(broker.engine)
    tap.relay.tellTables([TAG])
    await tap.begin(100n)
    const cut = ['Tag', ...Array.from({ length: 1_000 }, (_, number) => String(number))]
    const barrier = JSON.stringify({ barrier: 1, slot: 'slot', published: {}, cut, cleanFrom: '0' })
    for (const spec of ownMessage(toLsn(200n), barrier)) {
      const bytes = Buffer.from(encodeMessage(spec))
      tap.relay.accept(bytes, 0, bytes.length)
    }
    // Nothing has been answered in the same turn.
    expect(tap.accepted).toBe(100n)
    await expect.poll(() => tap.failures[0]?.code ?? tap.accepted).toBe(208n)
    const lasts = await (await broker.open('look')).readAllFields(`${tap.root}:lasts`)
    // Each behind its checksum.
    expect([...lasts].map(([model, text]) => [model, String(text).slice(9)])).toEqual([
      ['', '1'],
      ['Tag', '200-2147483649'],
    ])
  })
})

describe('a tap whose broker', () => {
  const write = (relay: TapRelay, lsn: bigint) => {
    for (const spec of insertTag(toLsn(lsn), 'a')) {
      const bytes = Buffer.from(encodeMessage(spec))
      relay.accept(bytes, 0, bytes.length)
    }
  }
  const entriesOf = async (engine: MemoryEngine, root: string) =>
    (await (await engine.open({ name: 'look' })).readEntries(`${root}:changes`, {})).map(({ id }) => id.lsn)

  it('has written what it never answered finds it there, and nothing comes twice', async () => {
    const engine = new MemoryEngine()
    await using tap = await openTap(engine)
    await tap.begin(100n)
    const { root, relay } = tap
    engine.loseAnswers(1)
    write(relay, 200n)
    await expect.poll(() => tap.failures[0]?.code).toBe('BROKER_LOST')
    expect([tap.accepted, await entriesOf(engine, root)]).toEqual([100n, [99n, 200n]])
    await relay.connect()
    await tap.begin(208n)
    write(relay, 200n)
    write(relay, 300n)
    await expect.poll(() => tap.accepted).toBe(308n)
    expect([tap.root, await entriesOf(engine, root)]).toEqual([root, [99n, 200n, 300n]])
  })

  it('fails over to a replica that lacks the newest knows that it is safe up to less than was accepted', async () => {
    const engine = new MemoryEngine()
    await using tap = await openTap(engine)
    await tap.begin(100n)
    const { root, relay } = tap
    engine.isReplicating = false
    write(relay, 200n)
    await expect.poll(() => tap.accepted).toBe(208n)
    engine.failOver()
    await expect.poll(() => tap.failures[0]?.code).toBe('BROKER_LOST')
    expect(await entriesOf(engine, root)).toEqual([99n])
    await relay.connect()
    const { past } = await relay.readPast({ systemId: '7', timeline: 1 })
    // The source holds this against the slot: what the broker lacks is sent again, or reported as missing.
    expect(past).toMatchObject({ safeLsn: 100n })
  })
})
