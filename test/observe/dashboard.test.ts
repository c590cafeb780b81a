/** The dashboard and the page about metrics: each name they use is a metric, and each metric is in both. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { METRICS, type MetricEntry, type MetricName } from '../../src/observe/metric-table.ts'

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

const ROOT = join(import.meta.dirname, '..', '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const dashboard = JSON.parse(read('dashboards/rowcast.json')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly query: unknown }[] }
}
const targets = dashboard.panels.flatMap(({ title, targets: all = [] }) =>
  all.map((each) => ({ title, ...each })),
)

/** The metric that a series belongs to. */
function metricOf(series: string): MetricName | undefined {
  const name = series.replace(/_bucket$/, '')
  return Object.hasOwn(METRICS, name) ? (name as MetricName) : undefined
}

const seriesOf = (expression: string) => expression.match(/\browcast_\w+/g) ?? []

describe('the dashboard', () => {
  it.each(targets)('$title: $expr', ({ expr, legendFormat }) => {
    const series = seriesOf(expr)
    expect(series.length).toBeGreaterThan(0)
    const labels = new Set(['job', 'instance', 'le'])
    for (const name of series) {
      const metric = metricOf(name)
      expect(metric, name).toBeDefined()
      const { type, labels: own }: MetricEntry = METRICS[metric as MetricName]
      for (const label of own) labels.add(label)
      // A counter is only of use as a rate, a histogram by its buckets.
      expect(/(rate|increase)\(/.test(expr)).toBe(type !== 'gauge')
      expect(name.endsWith('_bucket')).toBe(type === 'histogram')
    }
    const groups = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/))
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
    for (const label of [...groups, ...legend]) expect([...labels]).toContain(label)
    // What aggregation has taken away cannot be shown.
    if (groups.length > 0) for (const label of legend) expect(groups).toContain(label)
  })

  it('shows every metric, and its variables ask for one', () => {
    const shown = new Set(targets.flatMap(({ expr }) => seriesOf(expr).map(metricOf)))
    expect(Object.keys(METRICS).filter((name) => !shown.has(name as MetricName))).toEqual([])
    for (const { query } of dashboard.templating.list) {
      for (const series of seriesOf(JSON.stringify(query))) expect(metricOf(series)).toBeDefined()
    }
  })

  it('has no two panels in one place', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    )
    expect(new Set(places).size).toBe(places.length)
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
  })
})

describe('docs/observability.md', () => {
  it('has the table of metrics, and names no others', () => {
    const page = read('docs/observability.md')
    const rows = Object.entries<MetricEntry>(METRICS).map(([name, { type, labels, help }]) => {
      return `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`
    })
    expect(page.split('\n').filter((line) => line.startsWith('| `rowcast_'))).toEqual(rows)
    expect(seriesOf(page).filter((series) => metricOf(series) === undefined)).toEqual([])
  })
})
