/** What PostgreSQL may forget, where replicas are to have it and do not: across connections as within one. */
import { expect, it, onTestFinished } from 'vitest'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import { createTapRelay } from '../../src/broker/tap-relay.ts'
import { silentLogger } from '../../src/logger.ts'
import { judgeContinuity } from '../../src/source/published/continuity.ts'
import { StreamPosition } from '../../src/source/session/ack-state.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { newTagRegistry } from '../support/broker-stream.ts'
import { MemoryEngine } from '../support/memory-broker/memory-engine.ts'

const SERVER = { systemId: '7', timeline: 1 }
const RETENTION = { bytes: 1_000_000, minutes: 1 }

/** A process that taps, and waits for one replica. */
function startTap(engine: MemoryEngine) {
  const relay = createTapRelay({
    ...{ engine, runtime: systemRuntime, broker: { prefix: null, replicas: 1, retention: RETENTION } },
    ...{ slot: 'slot', registry: newTagRegistry(), logger: silentLogger, onDrift() {}, onRecovery() {} },
  })
  onTestFinished(() => relay.close())
  const position = new StreamPosition({ bytes: 0, minutes: 0 }, () => performance.now())
  return {
    ...{ relay, position },
    /** A stream of a slot that has confirmed so much; resolves once the broker has its first mark. */
    async stream(slotConfirmed: bigint) {
      const slotConfirmedLsn = toLsn(slotConfirmed)
      await relay.connect()
      const { past } = await relay.readPast(SERVER)
      const identity = { ...SERVER, flushedLsn: toLsn(1_000n) }
      const continuity = judgeContinuity(past, { ...identity, slotConfirmedLsn, history: [] })
      const { floorLsn, kind } = continuity
      position.begin(identity, continuity, slotConfirmedLsn, slotConfirmedLsn)
      let isWritten = false
      const start = { ...SERVER, isFirst: kind !== 'continuous', floorLsn, serverLsn: identity.flushedLsn }
      relay.begin(
        { ...start, gap: null, continuity },
        {
          ...{ onBegin() {}, seenNow: () => LSN_ZERO, onOwnMessage() {}, onTable() {}, onDoubt() {} },
          ...{ onPressure() {}, onFailure() {} },
          onHandedOver: (lsn) => position.handsOver(lsn),
          onWritten(lsn) {
            position.reaches(lsn)
            isWritten = true
          },
          onAccepted: (lsn) => position.accepts(lsn),
        },
      )
      await expect.poll(() => isWritten).toBe(true)
      // A barrier was read that holds nothing back.
      position.ceiling.raise(toLsn(1_000n))
      return continuity
    },
  }
}

/** Until a look at the replicas has been answered after all that is written. */
async function looked(relay: ReturnType<typeof startTap>['relay']): Promise<void> {
  await expect.poll(() => relay.status().replicas?.behindMs).toBeGreaterThan(0)
}

it('is nothing that the replica lacks, however often the stream begins again', async () => {
  const engine = new MemoryEngine()
  const { relay, position, stream } = startTap(engine)
  await stream(100n)
  await expect.poll(() => position.confirm()).toBe(100n)
  engine.isReplicating = false
  relay.keepalive(toLsn(600n))
  await expect.poll(() => position.reachedLsn).toBe(600n)
  await looked(relay)
  expect(position.confirm()).toBe(100n)
  relay.end()
  expect(await stream(100n)).toMatchObject({ kind: 'continuous', floorLsn: 600n })
  expect([position.confirm(), position.reachedLsn]).toEqual([100n, 600n])
  // The next process finds the same.
  relay.end()
  const next = startTap(engine)
  expect(await next.stream(100n)).toMatchObject({ kind: 'continuous', floorLsn: 600n })
  await looked(next.relay)
  expect(next.position.confirm()).toBe(100n)
  engine.isReplicating = true
  engine.replicate()
  await expect.poll(() => next.position.confirm()).toBe(600n)
})

it('is nothing that was safe with a server which another one has followed, where others wrote to that', async () => {
  const engine = new MemoryEngine()
  const first = startTap(engine)
  await first.stream(100n)
  await expect.poll(() => first.position.safeLsn).toBe(100n)
  first.relay.keepalive(toLsn(500n))
  await expect.poll(() => first.position.confirm()).toBe(500n)
  // The connection with PostgreSQL is lost before that is said.
  first.relay.end()
  engine.flush()
  engine.isReplicating = false
  const second = startTap(engine)
  await second.stream(100n)
  second.relay.keepalive(toLsn(600n))
  await expect.poll(() => second.position.reachedLsn).toBe(600n)
  second.relay.end()
  expect(await first.stream(100n)).toMatchObject({ floorLsn: 600n })
  expect(first.position.confirm()).toBe(100n)
})

it('is no keepalive from before its beginning: marks of a stream do not go back', async () => {
  const engine = new MemoryEngine()
  const { relay, position, stream } = startTap(engine)
  await stream(100n)
  relay.keepalive(toLsn(600n))
  await expect.poll(() => position.confirm()).toBe(600n)
  relay.end()
  await stream(100n)
  // PostgreSQL decodes from before what it confirmed.
  relay.keepalive(toLsn(200n))
  // The broker takes what it is sent within the turn.
  await new Promise((resolve) => setImmediate(resolve))
  relay.end()
  expect(await stream(100n)).toMatchObject({ kind: 'continuous', floorLsn: 600n })
})
