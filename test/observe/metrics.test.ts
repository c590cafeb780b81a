/** The numbers and their text: counted as the bus and the server report them, formatted as prom-client would. */
import { Counter, Gauge, Histogram as PromHistogram, Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BusObservers } from '../../src/bus/bus-observer.ts'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { MemoryBusOptions } from '../../src/bus/memory-bus-options.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { RowcastError } from '../../src/errors.ts'
import { ChangeCounters } from '../../src/observe/change-counters.ts'
import { DeliveryCounters } from '../../src/observe/delivery-counters.ts'
import { formatMetrics } from '../../src/observe/format-metrics.ts'
import {
  LATENCY_BOUNDS,
  METRICS,
  type MetricEntry,
  type MetricName,
  type MetricsReading,
} from '../../src/observe/metric-table.ts'
import { createMetrics, type MetricsSource } from '../../src/observe/metrics.ts'
import type { SourceStatus } from '../../src/source/replication-source.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const STATUS: SourceStatus = {
  ...{ state: 'streaming', isReady: true, isCatchingUp: false, slot: 'rowcast', publication: 'rowcast' },
  ...{
    lastError: null,
    failures: 0,
    streamsStarted: 3,
    stalledMs: 0,
    failedLooks: 0,
    identityFaults: [],
    confirmedLsn: null,
    system: null,
  },
  positions: { safeLsn: null, confirmedLsn: null, serverLsn: null, lagBytes: 4096 },
  slotHealth: {
    ...{
      walStatus: 'extended',
      retainedBytes: 1024,
      restartBytes: 512,
      safeWalBytes: null,
      budgetBytes: null,
    },
    ...{ invalidationReason: null, activePid: 42, isFailover: false },
  },
}

/** A bus and the metrics of it. */
function observeBus(options: MemoryBusOptions = {}) {
  const observers = new BusObservers()
  const bus = createMemoryBus({ models: blogCatalog.models, observers, ...options })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const source: MetricsSource = {
    models: ['User', 'Post'],
    status: () => ({
      ...STATUS,
      drifted: [{ model: 'Post' }],
      subscriptions: bus.subscriptionCounts,
      broker: null,
    }),
    backlogs: () => bus.backlogs(),
    listCost: () => ({
      ...{ sets: 2, subscriptions: 9, reads: 3, readMs: 1_500, patches: 4, lateMs: 250, shownLateMs: 750 },
    }),
    relatedCost: () => ({ sets: 5, keys: 70, reads: 6, readMs: 2_500 }),
    observe: (observer) => observers.add(observer),
  }
  const metrics = createMetrics(source, {
    connections: () => ({ webSockets: 2, eventStreams: 1, multipartStreams: 4, unsentBytes: 3 }),
  })
  onTestFinished(() => metrics.close())
  let commitLsn = 10
  return {
    bus,
    metrics,
    publish(...changes: readonly Partial<AnyChange>[]) {
      commitLsn += 1
      const transaction = plainTransaction(commitLsn, { committedAt: new Date() })
      bus.publish({
        transaction,
        changes: changes.map((change, index) => plainChange({ transaction, index, ...change })),
        isFinal: true,
        byteLength: 0,
      })
    },
    /** One line of the text without its name. */
    line: (start: string) =>
      metrics
        .text()
        .split('\n')
        .find((line) => line.startsWith(`${start} `))
        ?.slice(start.length + 1),
  }
}

describe('metrics', () => {
  it('count changes by model and action, from zero on', () => {
    const { publish, line } = observeBus()
    expect(line('rowcast_changes_total{model="Post",action="DELETE"}')).toBe('0')
    publish(
      { model: 'User', action: 'INSERT' },
      { model: 'User', action: 'INSERT' },
      { model: 'Post', action: 'DELETE' },
    )
    expect(line('rowcast_changes_total{model="User",action="INSERT"}')).toBe('2')
    expect(line('rowcast_changes_total{model="Post",action="DELETE"}')).toBe('1')
    expect(line('rowcast_transactions_total')).toBe('1')
  })

  it('show subscriptions, what waits for them, what was dropped and how they ended', async () => {
    const { bus, publish, line } = observeBus({ queueLengthMax: 4, log: { bytesMax: 0 } })
    const slow = bus.subscribe({ model: 'User' })
    const conflating = bus.subscribe({ model: 'User', overflow: 'conflate' })
    const left = bus.subscribe({ model: 'User' })
    await left.return()
    const key = { id: 1 }
    publish({ action: 'INSERT', key }, { key }, { key })
    expect(line('rowcast_subscriptions{model="User"}')).toBe('2')
    expect(line('rowcast_list_subscriptions')).toBe('9')
    expect(line('rowcast_list_read_seconds_total')).toBe('1.5')
    expect(line('rowcast_list_late_seconds')).toBe('0.25')
    expect(line('rowcast_list_shown_late_seconds_total')).toBe('0.75')
    expect(line('rowcast_queue_changes{model="User"}')).toBe('6')
    expect(line('rowcast_queue_longest_changes{model="User"}')).toBe('3')
    expect(line('rowcast_filter_candidates_total{model="User"}')).toBe('6')
    publish({ key }, { key })
    await slow.next().catch(() => undefined)
    expect(line('rowcast_dropped_changes_total{model="User",reason="too_slow"}')).toBe('4')
    expect(line('rowcast_dropped_changes_total{model="User",reason="conflated"}')).toBe('3')
    expect(line('rowcast_subscriptions_ended_total{reason="SUBSCRIBER_TOO_SLOW"}')).toBe('1')
    expect(line('rowcast_subscriptions_ended_total{reason="left"}')).toBe('1')
    bus.gap(new RowcastError('RESYNC_REQUIRED', 'The slot was lost.'))
    await conflating.return()
    expect(line('rowcast_gaps_total')).toBe('1')
    expect(line('rowcast_resyncs_total{model="User"}')).toBe('1')
    expect(line('rowcast_resyncs_total{model="Post"}')).toBe('0')
  })

  it('count deliveries; replayed ones say nothing about latency', async () => {
    const { bus, publish, metrics, line } = observeBus()
    publish({ action: 'INSERT' })
    const live = bus.subscribe({ model: 'User' })
    const filter = createChangeFilter({
      visible: { fields: new Set(['email']), isDeliveredWhenUnknown: true },
    })
    for (const asked of [null, filter]) {
      const replaying = bus.subscribe({ model: 'User', after: 'earliest', filter: asked })
      metrics.onDelivered((await replaying.next()).value)
    }
    publish({ action: 'UPDATE' })
    metrics.onDelivered((await live.next()).value)
    // What other subscriptions give is nobody's delivery.
    for (const value of [null, 7, { change: {} }]) metrics.onDelivered(value)
    expect(line('rowcast_deliveries_total{model="User",action="INSERT"}')).toBe('2')
    expect(line('rowcast_deliveries_total{model="User",action="UPDATE"}')).toBe('1')
    expect(line('rowcast_replayed_deliveries_total{model="User"}')).toBe('2')
    expect(line('rowcast_commit_to_socket_seconds_count')).toBe('1')
  })

  it('count what is late as late: who is put off, or falls behind, has missed nothing', async () => {
    const { bus, publish, metrics, line } = observeBus({ queueLengthMax: 1 })
    const live = bus.subscribe({ model: 'User', overflow: 'end' })
    publish({ action: 'INSERT' }, { action: 'UPDATE' })
    publish({ action: 'UPDATE' })
    const resumed = bus.subscribe({ model: 'User', after: 'earliest' })
    for (const each of [live, resumed, live, resumed, live, resumed])
      metrics.onDelivered((await each.next()).value)
    expect(line('rowcast_commit_to_socket_seconds_count')).toBe('3')
    expect(line('rowcast_replayed_deliveries_total{model="User"}')).toBe('3')
  })

  it('show what the source knows of itself', () => {
    const { line, metrics } = observeBus()
    expect(line('rowcast_ready')).toBe('1')
    expect(line('rowcast_source_state{state="streaming"}')).toBe('1')
    expect(line('rowcast_source_state{state="waiting"}')).toBe('0')
    expect(line('rowcast_replication_lag_bytes')).toBe('4096')
    expect(line('rowcast_reconnects_total')).toBe('2')
    expect(line('rowcast_slot_retained_bytes')).toBe('1024')
    expect(line('rowcast_slot_active')).toBe('1')
    expect(line('rowcast_slot_wal_status{status="extended"}')).toBe('1')
    expect(line('rowcast_slot_wal_status{status="lost"}')).toBe('0')
    expect(line('rowcast_model_drifted{model="Post"}')).toBe('1')
    expect(line('rowcast_websockets')).toBe('2')
    expect(line('rowcast_event_streams')).toBe('1')
    expect(line('rowcast_multipart_streams')).toBe('4')
    metrics.onDocumentRefused('QUERY_NOT_PERSISTED')
    expect(line('rowcast_documents_refused_total{reason="PERSISTED_QUERY_NOT_FOUND"}')).toBe('0')
    expect(line('rowcast_documents_refused_total{reason="QUERY_NOT_PERSISTED"}')).toBe('1')
    expect(line('rowcast_unsent_bytes')).toBe('3')
    expect(Number(line('rowcast_resident_memory_bytes'))).toBeGreaterThan(1e6)
    expect(line('rowcast_event_loop_delay_seconds{quantile="0.99"}')).toMatch(/^[\d.e-]+$/)
    // No limit is no number.
    expect(metrics.text()).not.toMatch(/rowcast_(slot_safe_wal_bytes|slot_budget_bytes|broker)/)
  })
})

describe('counters', () => {
  it('count rows that were moved without being written as READ', () => {
    const counters = new DeliveryCounters(['User'])
    const change = { ...plainChange({ model: 'User', transaction: plainTransaction(1) }), action: 'READ' }
    for (let count = 0; count < 2; count += 1) counters.onDelivered({ change, hidesOld: false })
    expect(counters.models.get('User')?.actions).toEqual({
      INSERT: 0,
      UPDATE: 0,
      DELETE: 0,
      TRUNCATE: 0,
      READ: 2,
    })
  })

  it('count the changes of a transaction one by one', () => {
    const counters = new DeliveryCounters(['User', 'Post'])
    const transaction = plainTransaction(1)
    const deliveries = ['User', 'Post', 'Post'].map((model) => ({
      change: plainChange({ model, action: 'INSERT', transaction }),
      ...{ hidesOld: false, hidesNew: false, transition: null },
    }))
    counters.onDelivered({ transaction, deliveries, sources: [0, 1, 1], isLast: true, change: deliveries[2] })
    expect(counters.models.get('User')?.actions.INSERT).toBe(1)
    expect(counters.models.get('Post')?.actions.INSERT).toBe(2)
    expect(counters.latency.buckets.reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  it('find the bucket that a delivery belongs to', () => {
    let nowMs = 0
    const counters = new DeliveryCounters([], () => nowMs)
    for (const [committed, now] of [
      [0, 1],
      [0, 40],
      [0, 40_000],
      // Two clocks: it cannot have been sent before it was written.
      [500, 100],
    ] as const) {
      nowMs = now
      const transaction = plainTransaction(1, { committedAt: new Date(committed) })
      counters.onDelivered({ change: plainChange({ transaction }), hidesOld: false })
    }
    const { buckets, sum } = counters.latency
    const filled = buckets.flatMap((count, index) =>
      count === 0 ? [] : [[LATENCY_BOUNDS[index] ?? 'above', count]],
    )
    expect(filled).toEqual([
      [0.001, 2],
      [0.05, 1],
      ['above', 1],
    ])
    expect(sum).toBeCloseTo(40.041)
  })

  it('forget the longest delay within twenty seconds', () => {
    let nowMs = 1_000_000
    const counters = new ChangeCounters([], () => nowMs)
    const commit = (delayMs: number) =>
      counters.onPublished({
        transaction: plainTransaction(1, { committedAt: new Date(nowMs - delayMs) }),
        changes: [],
        isFinal: true,
        byteLength: 0,
      })
    commit(7_000)
    commit(5)
    expect(counters.delayMs).toBe(7_000)
    nowMs += 11_000
    commit(6)
    expect(counters.delayMs).toBe(7_000)
    nowMs += 11_000
    expect(counters.delayMs).toBe(6)
    nowMs += 60_000
    expect(counters.delayMs).toBe(0)
  })
})

describe('the text format', () => {
  it('is what prom-client makes of the same numbers', async () => {
    const { publish, metrics } = observeBus()
    publish({ action: 'INSERT' }, { action: 'DELETE' })
    const latencies = [0.0005, 0.002, 0.3, 77]
    const buckets = [1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    const reading: MetricsReading = {
      ...metrics.read(),
      rowcast_model_drifted: [{ labels: { model: 'quote " backslash \\ newline \n' }, value: 1 }],
      rowcast_commit_to_socket_seconds: [
        { labels: {}, value: { bounds: LATENCY_BOUNDS, buckets, sum: 77.3025 } },
      ],
    }
    const registry = new Registry()
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const { type, help, labels }: MetricEntry = METRICS[name]
      if (reading[name].length === 0) continue
      const options = { name, help, labelNames: [...labels], registers: [registry] }
      if (type === 'histogram') {
        const histogram = new PromHistogram({ ...options, buckets: [...LATENCY_BOUNDS] })
        for (const latency of latencies) histogram.observe(latency)
        continue
      }
      const metric = type === 'counter' ? new Counter(options) : new Gauge(options)
      for (const { labels: of, value } of reading[name]) metric.inc({ ...of }, value as number)
    }
    const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')
    const sum = (line: string) => line.startsWith('rowcast_commit_to_socket_seconds_sum')
    const expected = linesOf(await registry.metrics()).filter((line) => !sum(line))
    expect(linesOf(formatMetrics(reading)).filter((line) => !sum(line))).toEqual(expected)
    expect(expected.length).toBeGreaterThan(80)
  })

  it('moves no cursor of whoever reads it on a terminal', () => {
    const { metrics } = observeBus()
    const model = 'a\u001b[2J\r\u009b1m\nb'
    const text = formatMetrics({
      ...metrics.read(),
      rowcast_model_drifted: [{ labels: { model }, value: 1 }],
    })
    expect(text).toContain('{model="a\\\\u001b[2J\\\\r\\\\u009b1m\\nb"} 1\n')
    expect(text).not.toMatch(/[^\P{Cc}\n]/u)
  })

  it('names metrics as Prometheus wants it', () => {
    for (const [name, { type, help }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^rowcast_[a-z_]+$/)
      expect(name.endsWith('_total')).toBe(type === 'counter')
      expect(help).toMatch(/\.$/)
    }
  })
})
