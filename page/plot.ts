/** The live page: small plots of the last seconds, up to five minutes, as SVG, with their numbers as text beside them. */
import { element, setText } from './dom.ts'
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
  const svg = document.createElementNS(SVG, 'svg')
  const path = document.createElementNS(SVG, 'path')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('role', 'img')
  svg.append(path)
  figure.append(element('figcaption', {}, element('span', {}, title), now, highest), svg)

  return (samples) => {
    const values = samples.map(read)
    const known = values.filter((value) => value !== null)
    const top = Math.max(topMin, ...known)
    const latest = known.at(-1)
    path.setAttribute('d', columns(values, top))
    setText(now, latest === undefined ? 'nothing yet' : format(latest))
    setText(highest, known.length === 0 ? '' : `highest ${format(Math.max(...known))}`)
    svg.setAttribute('aria-label', `${title}: now ${now.textContent}, ${highest.textContent}`)
  }
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
