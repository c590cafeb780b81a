/** The live page: state, tiles and models. */
import { element, find, setText } from './dom.ts'
import {
  countOf,
  explainSlot,
  formatBytes,
  formatCount,
  formatDelay,
  formatRate,
  formatTime,
} from './format.ts'
import type { ModelActivity, Sample, Status } from './page-state.ts'

const STATES: Readonly<Record<string, string>> = {
  idle: 'Not started',
  connecting: 'Connecting to PostgreSQL',
  standby: 'Standby',
  streaming: 'Streaming',
  waiting: 'Waiting to try again',
  stopped: 'Stopped',
}

/** Shows the state of the stream, or since when the connection to the server is lost: the numbers are of that moment. */
export function showState(status: Status | null, lostAt: Date | null): void {
  const node = find('state', HTMLElement)
  const isWell = lostAt === null && status?.isReady === true
  setText(node, lostAt === null ? stateOf(status) : `Connection lost at ${formatTime(lostAt)}, trying again`)
  node.dataset['well'] = String(isWell)
  const isStale = lostAt !== null && status !== null
  document.body.toggleAttribute('data-stale', isStale)
  const note = find('stale', HTMLElement)
  note.hidden = !isStale
  if (isStale)
    setText(note, `These numbers are those of ${formatTime(lostAt)}, when the connection was lost.`)
}

function stateOf(status: Status | null): string {
  if (status === null) return 'Connecting'
  if (status.state === 'streaming') return status.isReady ? 'Streaming' : 'Catching up'
  return STATES[status.state] ?? status.state
}

/** Shows what is in the way, and what to do about it. */
export function showTrouble(text: string | null): void {
  const node = find('trouble', HTMLElement)
  node.hidden = text === null
  setText(node, text ?? '')
}

/** The text of what keeps changes from flowing. */
export function troubleOf({ errorCode, errorHint, state }: Status): string | null {
  if (!errorCode || state === 'streaming') return null
  return `${errorCode}: ${errorHint ?? 'see the log of the server.'}`
}

/** Shows the tiles: those that stand there already get their new text only. */
export function showTiles(status: Status, samples: readonly Sample[]): void {
  const list = find('tiles', HTMLElement)
  for (const [title, value, note] of tilesOf(status, samples)) {
    const id = `tile-${title.toLowerCase().replaceAll(/\W+/g, '-')}`
    const known = document.getElementById(id)
    const tile =
      known ??
      element('div', { id }, element('dt', {}, title), element('dd'), element('dd', { class: 'muted' }))
    if (known === null) list.append(tile)
    const [main, detail] = tile.querySelectorAll('dd')
    if (main !== undefined) setText(main, value)
    if (detail !== undefined) setText(detail, note)
  }
}

type Tile = readonly [title: string, value: string, note: string]

/** Seconds that rates and the lag in time are taken over, as in the metrics. */
const LATELY_S = 10

/** Each number has the name here that it has in docs/observability.md. */
function tilesOf(status: Status, samples: readonly Sample[]): readonly Tile[] {
  const { slot, slotHealth, models, state } = status
  const perSecond = models.reduce((sum, model) => sum + model.perSecond, 0)
  const subscriptions = models.reduce((sum, model) => sum + model.subscriptions, 0)
  const total = models.reduce(
    (sum, each) => sum + each.inserts + each.updates + each.deletes + each.truncates,
    0,
  )
  const [word, meaning] = explainSlot(slotHealth?.walStatus)
  const position = status.serverLsn ? `not read yet; WAL ends at LSN ${status.serverLsn}` : 'not read yet'
  return [
    ['Changes a second', formatRate(perSecond), `${formatCount(total)} since the start`],
    lagInTime(samples),
    ['Lag (WAL)', formatBytes(status.lagBytes), position],
    ['Subscriptions', formatCount(subscriptions), `on ${countOf(models.length, 'live model')}`],
    walHeld(slotHealth),
    ['Slot', word, `${slot}: ${meaning}${state === 'streaming' ? '' : '; rowcast does not read it now'}`],
  ]
}

function lagInTime(samples: readonly Sample[]): Tile {
  const delays = (some: readonly Sample[]) =>
    some.map(({ delayMs }) => delayMs).filter((delay) => delay !== null && delay !== undefined)
  const lately = delays(samples.slice(-LATELY_S))
  const before = delays(samples).at(-1)
  if (lately.length > 0)
    return [
      'Lag (time)',
      formatDelay(Math.max(...lately)),
      `from commit to here, the longest of ${LATELY_S} s`,
    ]
  return [
    'Lag (time)',
    '–',
    before === undefined ? 'no change yet' : `no change lately; before, ${formatDelay(before)}`,
  ]
}

function walHeld(slotHealth: Status['slotHealth']): Tile {
  const limit = slotHealth?.budgetBytes ?? slotHealth?.safeWalBytes ?? null
  const retained = slotHealth?.retainedBytes ?? null
  return [
    'WAL held by the slot',
    retained === null ? '–' : formatBytes(retained),
    limit === null ? 'no limit is set' : `of ${formatBytes(limit)} allowed`,
  ]
}

/** Shows the models, busiest colour by rate; rows stay where they are. */
export function showModels(models: readonly ModelActivity[]): void {
  const body = find('models', HTMLElement)
  const busiest = Math.max(1, ...models.map(({ perSecond }) => perSecond))
  for (const model of models) {
    const known = body.querySelector(`[data-model="${CSS.escape(model.name)}"]`)
    const row = known ?? newModelRow(model.name)
    if (known === null) body.append(row)
    const { perSecond, inserts, updates, deletes, truncates, subscriptions } = model
    const counts = [inserts, updates, deletes + truncates, subscriptions].map(formatCount)
    const cells = row.querySelectorAll('td')
    for (const [index, text] of [formatRate(perSecond), ...counts].entries()) {
      const cell = cells[index]
      if (cell !== undefined) setText(cell, text)
    }
    cells[0]?.style.setProperty('--share', String(perSecond / busiest))
    row.querySelector('th')?.toggleAttribute('data-broken', Boolean(model.errorCode))
    const note = row.querySelector('small')
    if (note !== null) setText(note, model.errorCode ?? '')
  }
}

function newModelRow(name: string): HTMLTableRowElement {
  const cells = Array.from({ length: 5 }, () => element('td', { class: 'number' }))
  return element(
    'tr',
    { 'data-model': name },
    element('th', { scope: 'row', title: name }, name, element('small')),
    ...cells,
  )
}
