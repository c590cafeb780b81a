/**
 * The live page: small plots of the last seconds, up to five minutes, as SVG. Their axes are text beside it: a few round
 * numbers with units, and how long ago the left edge is.
 */
import { element, setText } from './dom.ts'
import { niceTop } from './format.ts'
import type { Sample } from './page-state.ts'

/** What one plot shows. */
export interface PlotOptions {
  readonly title: string
  /** Null where there is nothing to show for that second. */
  readonly read: (sample: Sample) => number | null
  readonly format: (value: number) => string
  /** The top is at least this, so that noise looks like noise. */
  readonly topMin: number
}

const WIDTH = 600
const HEIGHT = 100
/** A minute: with fewer samples there is room for those to come. */
const SAMPLES_SHOWN_MIN = 60
const SVG = 'http://www.w3.org/2000/svg'

/** Fills the figure. Returns what shows other samples. */
export function createPlot(
  figure: HTMLElement,
  { title, read, format, topMin }: PlotOptions,
): (samples: readonly Sample[]) => void {
  const now = element('strong')
  const highest = element('span', { class: 'muted' })
  const ticks = [1, 0.5, 0].map((share) => ({ share, label: element('span') }))
  const start = element('span')
  const svg = newSvg()
  const path = document.createElementNS(SVG, 'path')
  svg.append(path)
  // The label of the image says the same in one sentence.
  const hidden = { 'aria-hidden': 'true' }
  figure.append(
    element('figcaption', {}, element('span', {}, title), now, highest),
    element(
      'div',
      { class: 'plot' },
      element('div', { class: 'axis-y', ...hidden }, ...ticks.map(({ label }) => label)),
      svg,
      element('div', { class: 'axis-x', ...hidden }, start, element('span', {}, 'now')),
    ),
  )

  return (samples) => {
    const values = samples.map(read)
    const known = values.filter((value) => value !== null)
    const top = niceTop(Math.max(topMin, ...known))
    const latest = known.at(-1)
    path.setAttribute('d', columns(values, top))
    for (const { share, label } of ticks) setText(label, format(top * share))
    setText(start, formatSpan(Math.max(SAMPLES_SHOWN_MIN, values.length)))
    setText(now, latest === undefined ? 'nothing yet' : format(latest))
    setText(highest, known.length === 0 ? '' : `highest ${format(Math.max(...known))}`)
    svg.setAttribute('aria-label', `${title}: now ${now.textContent}, ${highest.textContent}`)
  }
}

function newSvg(): SVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('role', 'img')
  for (const y of [0, HEIGHT / 2]) {
    const line = document.createElementNS(SVG, 'line')
    for (const [name, value] of Object.entries({ x1: 0, x2: WIDTH, y1: y, y2: y }))
      line.setAttribute(name, String(value))
    svg.append(line)
  }
  return svg
}

/** @param seconds one sample each */
function formatSpan(seconds: number): string {
  if (seconds < 120) return `${seconds} s ago`
  return `${Number((seconds / 60).toFixed(1))} min ago`
}

/** One column a second, the newest at the right edge. */
function columns(values: readonly (number | null)[], top: number): string {
  const columnsShown = Math.max(SAMPLES_SHOWN_MIN, values.length)
  const width = WIDTH / columnsShown
  const start = columnsShown - values.length
  return values
    .map((value, index) => {
      if (value === null || value <= 0) return ''
      // A value that is there is seen, however small.
      const height = Math.max(1.5, (value / top) * HEIGHT)
      const x = (start + index) * width
      return `M${x.toFixed(1)} ${HEIGHT}v${(-height).toFixed(1)}h${width.toFixed(1)}V${HEIGHT}z`
    })
    .join('')
}
