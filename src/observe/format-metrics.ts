/**
 * Beside the spine, observe. A reading in Prometheus' text format 0.0.4.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import { escapeControls } from '../printable.ts'
import {
  type Histogram,
  METRICS,
  type MetricEntry,
  type MetricName,
  type MetricsReading,
  type Sample,
} from './metric-table.ts'

/** Of what `formatMetrics` returns. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Formats a reading. Metrics without a sample are left out. */
export function formatMetrics(reading: MetricsReading): string {
  const families = (Object.keys(METRICS) as MetricName[]).flatMap((name) => {
    const { help, type }: MetricEntry = METRICS[name]
    const samples = reading[name].flatMap((sample) => formatSample(name, sample))
    return samples.length === 0
      ? []
      : [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...samples]
  })
  return `${families.join('\n')}\n`
}

function formatSample(name: string, { labels, value }: Sample): readonly string[] {
  return typeof value === 'number'
    ? [`${name}${formatLabels(labels)} ${formatValue(value)}`]
    : formatHistogram(name, labels, value)
}

/** Buckets are cumulated: each counts what is not above its bound. */
function formatHistogram(
  name: string,
  labels: Sample['labels'],
  { bounds, buckets, sum }: Histogram,
): string[] {
  let count = 0
  const lines = buckets.map((bucket, index) => {
    count += bucket
    const le = formatValue(bounds[index] ?? Number.POSITIVE_INFINITY)
    return `${name}_bucket${formatLabels({ le, ...labels })} ${count}`
  })
  return [
    ...lines,
    `${name}_sum${formatLabels(labels)} ${formatValue(sum)}`,
    `${name}_count${formatLabels(labels)} ${count}`,
  ]
}

function formatLabels(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

/** The format's own escapes, and no control character beside them: people read it on terminals, too. */
function escapeHelp(text: string): string {
  return text.split('\n').map(escapeControls).join('\n').replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
