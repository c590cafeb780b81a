/**
 * Beside the spine, observe. The table of metrics: name, type, labels and what it means. The registry, the page
 * docs/observability.md and the tests of the dashboard read it. Labels have few values: models, actions, codes.
 */

/** One row. */
export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
  /** Whether it is of the process, however many databases that reads from. @default false: of each */
  readonly isOfProcess?: boolean | undefined
}

const gauge = (help: string, ...labels: readonly string[]): MetricEntry => ({ type: 'gauge', labels, help })
const counter = (help: string, ...labels: readonly string[]): MetricEntry => ({
  type: 'counter',
  labels,
  help,
})

const ofProcess = (entry: MetricEntry): MetricEntry => ({ ...entry, isOfProcess: true })

/** All metrics, by name. Bytes and seconds are what their names say. */
export const METRICS = {
  rowcast_ready: gauge('1 while changes flow and none from before is still to come.'),
  rowcast_source_state: gauge('1 for the state that the replication worker is in.', 'state'),
  rowcast_replication_lag_bytes: gauge('WAL that is known to be written and was not delivered yet.'),
  rowcast_replication_lag_seconds: gauge(
    'The longest way of a transaction from its commit to the bus in the last 10 to 20 seconds, or how long nothing ' +
      'has come although WAL waits, whichever is more. The clocks of PostgreSQL and this process decide.',
  ),
  rowcast_failed_looks: gauge(
    'Looks at slot, publication and tables that failed in a row; from the third on it is not ready.',
  ),
  rowcast_stalled_seconds: gauge('How long WAL has been waiting without any of it coming, at the last look.'),
  rowcast_reconnects_total: counter('Streams that began after the first one.'),
  rowcast_failed_attempts: gauge('Attempts to connect that failed since changes last flowed.'),
  rowcast_slot_retained_bytes: gauge('WAL that PostgreSQL keeps because of the slot.'),
  rowcast_slot_restart_bytes: gauge('What of it PostgreSQL keeps by itself, before the confirmed position.'),
  rowcast_slot_safe_wal_bytes: gauge(
    'WAL that may still be written before the slot is in danger. No limit, no sample.',
  ),
  rowcast_slot_budget_bytes: gauge('`slotBudget`. None, no sample.'),
  rowcast_slot_active: gauge('1 while some process reads the slot.'),
  rowcast_slot_wal_status: gauge('1 for the wal_status that the slot has.', 'status'),
  rowcast_model_drifted: gauge('1 while the changes of the model cannot be delivered.', 'model'),
  rowcast_transactions_total: counter('Transactions with changes of live models.'),
  rowcast_changes_total: counter('Changes that were published to subscriptions.', 'model', 'action'),
  rowcast_gaps_total: counter('Times that changes may have been missed: all subscriptions ended.'),
  rowcast_subscriptions: gauge('Open subscriptions.', 'model'),
  rowcast_lists: gauge('Different live lists and totals that are open.'),
  rowcast_list_subscriptions: gauge('Subscriptions to them.'),
  rowcast_list_reads_total: counter('Times that the database was asked for one of them.'),
  rowcast_list_read_seconds_total: counter('How long the database took for that.'),
  rowcast_list_late_seconds: gauge(
    'Of lists and totals the latest: how long a change has been here that it does not show, beyond its `every`.',
  ),
  rowcast_list_shown_late_seconds_total: counter('How late patches were, all together.'),
  rowcast_list_patches_total: counter('Patches that were made, each for all who have the list.'),
  rowcast_related_sets: gauge('Different conditions on related rows whose keys are kept.'),
  rowcast_related_keys: gauge('Their keys, as `relatedRows.allKeysMax` bounds them.'),
  rowcast_related_reads_total: counter('Times that the database was asked for related rows.'),
  rowcast_related_read_seconds_total: counter('How long the database took for that.'),
  rowcast_subscriptions_ended_total: counter(
    'Subscriptions that are over: `left` by the client or the end of the server, else the code of the error.',
    'reason',
  ),
  rowcast_resyncs_total: counter('Subscriptions whose client had to resync.', 'model'),
  rowcast_filter_candidates_total: counter(
    'Subscriptions that were asked whether they want a change; the others were ruled out by the index.',
    'model',
  ),
  rowcast_queue_changes: gauge('Changes that wait in the queues of subscriptions.', 'model'),
  rowcast_queue_longest_changes: gauge('The same in the longest queue.', 'model'),
  rowcast_dropped_changes_total: counter(
    'Changes that waited for a subscription that was read too slowly and were `conflated`, or went with it (`too_slow`).',
    'model',
    'reason',
  ),
  rowcast_deliveries_total: counter(
    'Changes handed to a WebSocket, event stream or multipart response. `READ`: rows that a transaction moved into sight, or out of it, and did not write.',
    'model',
    'action',
  ),
  rowcast_replayed_deliveries_total: counter(
    'Those of them that a client had missed and asked for by cursor.',
    'model',
  ),
  rowcast_commit_to_socket_seconds: {
    type: 'histogram',
    labels: [],
    help: 'From the commit to the hand-over to a WebSocket, event stream or multipart response, without replayed changes.',
  },
  rowcast_websockets: ofProcess(gauge('Open WebSockets.')),
  rowcast_event_streams: ofProcess(gauge('Open event streams (SSE).')),
  rowcast_multipart_streams: ofProcess(gauge('Open multipart responses of subscriptions.')),
  rowcast_documents_refused_total: ofProcess(
    counter('Documents that `persistedDocuments` refused, by the code of the error.', 'reason'),
  ),
  rowcast_unsent_bytes: ofProcess(
    gauge('What WebSockets, streams and answers over HTTP hold that clients have not taken.'),
  ),
  rowcast_event_loop_delay_seconds: ofProcess(
    gauge('How late timers of this process were since the scrape before.', 'quantile'),
  ),
  rowcast_resident_memory_bytes: ofProcess(gauge('Memory of this process.')),
  rowcast_broker_connected: gauge('1 while Redis answers. Without a broker, no sample.'),
  rowcast_broker_active_tap: gauge('1 for the tap that writes. Not a tap, no sample.'),
  rowcast_broker_waiting_bytes: gauge('What a tap handed to Redis and Redis has not accepted.'),
  rowcast_broker_replicas: gauge(
    'Replicas of Redis that had everything at the last look. Without `broker.replicas`, no sample.',
  ),
  rowcast_broker_replicas_behind_seconds: gauge(
    'How long fewer replicas than `broker.replicas` have had it; 0 while enough do.',
  ),
  rowcast_broker_tap_silent_seconds: gauge('How long a gateway has not heard of a tap.'),
} as const satisfies Readonly<Record<string, MetricEntry>>

/** Name of a metric. */
export type MetricName = keyof typeof METRICS

/** Upper bounds of the latency histogram, in seconds. */
export const LATENCY_BOUNDS: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/** A histogram as Prometheus has it; the last bucket is for what is above all bounds. */
export interface Histogram {
  readonly bounds: readonly number[]
  /** Not cumulated. */
  readonly buckets: readonly number[]
  readonly sum: number
}

/** One value; a histogram has all of its values in one. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | Histogram
}

/** What holds at a moment. A metric without samples has none to give. */
export type MetricsReading = Readonly<Record<MetricName, readonly Sample[]>>
