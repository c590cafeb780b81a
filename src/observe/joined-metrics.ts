/** Beside the spine, observe. The metrics of several databases behind one server: what is of one has its name as `source`. */
import { deliveriesIn } from './delivery-counters.ts'
import { formatMetrics } from './format-metrics.ts'
import { METRICS, type MetricEntry, type MetricsReading, type Sample } from './metric-table.ts'
import type { Metrics } from './metrics.ts'

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
    const samplesOf = (metric: keyof MetricsReading): readonly Sample[] => {
      const { isOfProcess }: MetricEntry = METRICS[metric]
      if (isOfProcess === true) return readings[0]?.reading[metric] ?? []
      return readings.flatMap(({ name, reading }) =>
        reading[metric].map((sample) => ({ ...sample, labels: { source: name, ...sample.labels } })),
      )
    }
    return Object.fromEntries(names.map((metric) => [metric, samplesOf(metric)])) as MetricsReading
  }
  return {
    onDelivered(value) {
      for (const delivery of deliveriesIn(value)) owners.get(delivery.change.model)?.onDelivered(delivery)
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
