/**
 * Beside the spine, observe. The metrics of a rowcast: counts from now on, and says what holds at a moment. Nothing here
 * knows of Prometheus but the names.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Backlog } from '../bus/bus.ts'
import type { BusObserver } from '../bus/bus-observer.ts'
import { type CodesWith, ERRORS, errorEntry, isErrorCode } from '../errors.ts'
import type { SourceStatus } from '../source/replication-source.ts'
import { ChangeCounters } from './change-counters.ts'
import { DeliveryCounters } from './delivery-counters.ts'
import { formatMetrics, METRICS_CONTENT_TYPE } from './format-metrics.ts'
import type { MetricsReading, Sample } from './metric-table.ts'

/** What metrics ask of a rowcast. */
export interface MetricsSource {
  readonly models: readonly string[]
  status(): SourceStatus & {
    readonly drifted: readonly { readonly model: string }[]
    readonly subscriptions: ReadonlyMap<string, number>
    readonly broker: BrokerFacts | null
  }
  backlogs(): ReadonlyMap<string, Backlog>
  /** @default no live lists */
  listCost?(): ListFacts
  /** @default no conditions on related rows */
  relatedCost?(): RelatedFacts
  observe(observer: BusObserver): void
}

/** Live lists and totals: how many there are, and what they have cost. */
interface ListFacts {
  readonly sets: number
  readonly subscriptions: number
  readonly reads: number
  readonly readMs: number
  readonly patches: number
  readonly lateMs: number
  readonly shownLateMs: number
}

/** Conditions on related rows: what they hold, and what reading them has cost. */
interface RelatedFacts {
  readonly sets: number
  readonly keys: number
  readonly reads: number
  readonly readMs: number
}

interface BrokerFacts {
  readonly isConnected: boolean
  readonly isActive: boolean | null
  readonly waitingBytes: number | null
  readonly tapSilentMs: number | null
  readonly replicas: { readonly reached: number | null; readonly behindMs: number } | null
}

/** Open connections of a server. */
export interface ConnectionCounts {
  readonly webSockets: number
  readonly eventStreams: number
  /** @default no sample */
  readonly multipartStreams?: number | undefined
  /** What clients have not taken. */
  readonly unsentBytes: number
}

type DocumentRefusals = CodesWith<{ refusesDocument: true }>

/** The metrics of one rowcast. */
export interface Metrics {
  /** Counts a delivery to a client; for servers: `createServer`'s `onDelivered`. */
  readonly onDelivered: (delivery: unknown) => void
  /** Counts a document that was refused; for servers: `createServer`'s `onDocumentRefused`. */
  readonly onDocumentRefused: (reason: DocumentRefusals) => void
  /** The values of this moment. Where the event loop's delay is concerned: since the last reading. */
  read(): MetricsReading
  /** The same in Prometheus' text format. */
  text(): string
  /** Of that text. */
  readonly contentType: string
  /** Stops measuring the event loop. */
  close(): void
}

/** Those that are counted, so that each has a sample from the beginning. */
const REFUSALS = Object.keys(ERRORS)
  .filter(isErrorCode)
  .filter((code) => errorEntry(code).refusesDocument === true)
const STATES = ['idle', 'connecting', 'standby', 'streaming', 'waiting', 'stopped'] as const
const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'] as const
const QUANTILES = [0.5, 0.9, 0.99, 1] as const
/** Of the event loop's delay; it is also how often the process is woken up for it. */
const RESOLUTION_MS = 20

/** Creates metrics; they count what happens from now on. */
export function createMetrics(
  source: MetricsSource,
  options: { readonly connections?: (() => ConnectionCounts) | undefined } = {},
): Metrics {
  const changes = new ChangeCounters(source.models)
  const deliveries = new DeliveryCounters(source.models)
  const refused = new Map(REFUSALS.map((code) => [code, 0]))
  const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  loopDelay.enable()
  source.observe(changes)

  function read(): MetricsReading {
    const reading = {
      ...readSource(source, changes),
      ...readBus(source, changes),
      ...readLists(source.listCost?.()),
      ...readRelated(source.relatedCost?.()),
      ...readDeliveries(deliveries, options.connections?.()),
      rowcast_documents_refused_total: each('reason', refused.keys(), (code) => refused.get(code) ?? 0),
      rowcast_event_loop_delay_seconds: readLoopDelay(loopDelay),
      rowcast_resident_memory_bytes: one(process.memoryUsage.rss()),
    }
    loopDelay.reset()
    return reading
  }

  return {
    onDelivered: deliveries.onDelivered,
    onDocumentRefused(reason) {
      refused.set(reason, (refused.get(reason) ?? 0) + 1)
    },
    read,
    text: () => formatMetrics(read()),
    contentType: METRICS_CONTENT_TYPE,
    close: () => void loopDelay.disable(),
  }
}

type Values = number | boolean | null | undefined

/** A metric without labels; null for none to give. */
function one(value: Values): readonly Sample[] {
  return value === null || value === undefined ? [] : [{ labels: {}, value: Number(value) }]
}

/** A sample for each of the values of one label. */
function each<Key extends string>(
  label: string,
  keys: Iterable<Key>,
  sampleOf: (key: Key) => number | boolean,
): readonly Sample[] {
  return [...keys].map((key) => ({ labels: { [label]: key }, value: Number(sampleOf(key)) }))
}

function readSource(source: MetricsSource, { delayMs }: ChangeCounters) {
  const { slotHealth, broker, drifted, ...status } = source.status()
  const driftedModels = new Set(drifted.map(({ model }) => model))
  return {
    rowcast_ready: one(status.isReady),
    rowcast_source_state: each('state', STATES, (state) => state === status.state),
    rowcast_replication_lag_bytes: one(status.positions.lagBytes),
    rowcast_replication_lag_seconds: one(Math.max(0, delayMs, status.stalledMs) / 1_000),
    rowcast_stalled_seconds: one(status.stalledMs / 1_000),
    rowcast_failed_looks: one(status.failedLooks),
    rowcast_reconnects_total: one(Math.max(0, status.streamsStarted - 1)),
    rowcast_failed_attempts: one(status.failures),
    rowcast_slot_retained_bytes: one(slotHealth?.retainedBytes),
    rowcast_slot_restart_bytes: one(slotHealth?.restartBytes),
    rowcast_slot_safe_wal_bytes: one(slotHealth?.safeWalBytes),
    rowcast_slot_budget_bytes: one(slotHealth?.budgetBytes),
    rowcast_slot_active: one(slotHealth === null ? null : slotHealth.activePid !== null),
    rowcast_slot_wal_status:
      slotHealth === null ? [] : each('status', WAL_STATUSES, (name) => name === slotHealth.walStatus),
    rowcast_model_drifted: each('model', source.models, (model) => driftedModels.has(model)),
    rowcast_broker_connected: one(broker?.isConnected),
    rowcast_broker_active_tap: one(broker?.isActive),
    rowcast_broker_waiting_bytes: one(broker?.waitingBytes),
    rowcast_broker_replicas: one(broker?.replicas?.reached),
    rowcast_broker_replicas_behind_seconds: one(
      broker?.replicas == null ? null : broker.replicas.behindMs / 1_000,
    ),
    rowcast_broker_tap_silent_seconds: one(broker?.tapSilentMs == null ? null : broker.tapSilentMs / 1_000),
  }
}

function readBus(source: MetricsSource, changes: ChangeCounters) {
  const { subscriptions } = source.status()
  const backlogs = source.backlogs()
  const models = [...changes.models.keys()]
  return {
    rowcast_transactions_total: one(changes.transactions),
    rowcast_gaps_total: one(changes.gaps),
    rowcast_changes_total: [...changes.models].flatMap(([model, counts]) => byAction(model, counts.changes)),
    rowcast_subscriptions: each('model', models, (model) => subscriptions.get(model) ?? 0),
    rowcast_subscriptions_ended_total: each(
      'reason',
      changes.ends.keys(),
      (reason) => changes.ends.get(reason) ?? 0,
    ),
    rowcast_resyncs_total: each('model', models, (model) => changes.of(model).resyncs),
    rowcast_filter_candidates_total: each('model', models, (model) => changes.of(model).candidates),
    rowcast_queue_changes: each('model', models, (model) => backlogs.get(model)?.waiting ?? 0),
    rowcast_queue_longest_changes: each('model', models, (model) => backlogs.get(model)?.longest ?? 0),
    rowcast_dropped_changes_total: models.flatMap((model) =>
      Object.entries(changes.of(model).dropped).map(([reason, value]) => ({
        labels: { model, reason },
        value,
      })),
    ),
  }
}

function readLists(cost: ListFacts | undefined) {
  return {
    rowcast_lists: one(cost?.sets ?? 0),
    rowcast_list_subscriptions: one(cost?.subscriptions ?? 0),
    rowcast_list_reads_total: one(cost?.reads ?? 0),
    rowcast_list_read_seconds_total: one((cost?.readMs ?? 0) / 1_000),
    rowcast_list_late_seconds: one((cost?.lateMs ?? 0) / 1_000),
    rowcast_list_shown_late_seconds_total: one((cost?.shownLateMs ?? 0) / 1_000),
    rowcast_list_patches_total: one(cost?.patches ?? 0),
  }
}

function readRelated(cost: RelatedFacts | undefined) {
  return {
    rowcast_related_sets: one(cost?.sets ?? 0),
    rowcast_related_keys: one(cost?.keys ?? 0),
    rowcast_related_reads_total: one(cost?.reads ?? 0),
    rowcast_related_read_seconds_total: one((cost?.readMs ?? 0) / 1_000),
  }
}

function readDeliveries({ models, latency }: DeliveryCounters, connections: ConnectionCounts | undefined) {
  return {
    rowcast_deliveries_total: [...models].flatMap(([model, { actions }]) => byAction(model, actions)),
    rowcast_replayed_deliveries_total: each(
      'model',
      models.keys(),
      (model) => models.get(model)?.replayed ?? 0,
    ),
    rowcast_commit_to_socket_seconds: [{ labels: {}, value: latency }],
    rowcast_websockets: one(connections?.webSockets),
    rowcast_event_streams: one(connections?.eventStreams),
    rowcast_multipart_streams: one(connections?.multipartStreams),
    rowcast_unsent_bytes: one(connections?.unsentBytes),
  }
}

function byAction(model: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([action, value]) => ({ labels: { model, action }, value }))
}

/** Node's numbers are nanoseconds, and include the interval itself. */
function readLoopDelay(delay: IntervalHistogram): readonly Sample[] {
  return QUANTILES.map((quantile) => {
    const nanoseconds = delay.count === 0 ? 0 : quantile === 1 ? delay.max : delay.percentile(quantile * 100)
    return {
      labels: { quantile: String(quantile) },
      value: Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000),
    }
  })
}
