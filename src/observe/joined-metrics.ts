/** Beside the spine, observe. The metrics of several databases behind one server: what is of one has its name as `source`. */
import { memberOf } from '../member-of.ts'
import { formatMetrics } from './format-metrics.ts'
import type { MetricsReading, Sample } from './metric-table.ts'
import type { Metrics } from './metrics.ts'

/** Of the process, whatever it reads from. */
const OF_PROCESS: ReadonlySet<string> = new Set([
  ...['rowcast_websockets', 'rowcast_event_streams', 'rowcast_multipart_streams', 'rowcast_unsent_bytes'],
  ...['rowcast_documents_refused_total', 'rowcast_event_loop_delay_seconds', 'rowcast_resident_memory_bytes'],
])

/** Metrics of one database. */
export interface SourceMetrics {
  readonly name: string
  readonly models: readonly string[]
  readonly metrics: Metrics
}

/** All in one. The first is asked what is of the process. */
export function joinMetrics(sources: readonly [SourceMetrics, ...SourceMetrics[]]): Metrics {
  const [{ metrics: first }] = sources
  const owners = new Map(
    sources.flatMap(({ models, metrics }) => models.map((model) => [model, metrics] as const)),
  )
  const read = (): MetricsReading => {
    const readings = sources.map(({ name, metrics }) => ({ name, reading: metrics.read() }))
    const names = Object.keys(readings[0]?.reading ?? {}) as (keyof MetricsReading)[]
    const samplesOf = (metric: keyof MetricsReading): readonly Sample[] =>
      OF_PROCESS.has(metric)
        ? (readings[0]?.reading[metric] ?? [])
        : readings.flatMap(({ name, reading }) =>
            reading[metric].map((sample) => ({ ...sample, labels: { source: name, ...sample.labels } })),
          )
    return Object.fromEntries(names.map((metric) => [metric, samplesOf(metric)])) as MetricsReading
  }
  return {
    onDelivered(delivery) {
      const model = memberOf(memberOf(delivery, 'change'), 'model')
      owners.get(String(model))?.onDelivered(delivery)
    },
    onDocumentRefused: first.onDocumentRefused,
    read,
    text: () => formatMetrics(read()),
    contentType: first.contentType,
    close() {
      for (const { metrics } of sources) metrics.close()
    },
  }
}
