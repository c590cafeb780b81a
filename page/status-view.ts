/** The live page: state, tiles and models. */
import { element, find, setText } from './dom.ts'
import { formatBytes, formatCount, formatDelay, formatRate } from './format.ts'
import type { ModelActivity, Sample, Status } from './page-state.ts'

const STATES: Readonly<Record<string, string>> = {
  idle: 'Not started',
  connecting: 'Connecting to PostgreSQL',
  standby: 'Standby',
  streaming: 'Streaming',
  waiting: 'Waiting to try again',
  stopped: 'Stopped',
}

/** Shows the state of the stream, or that of the connection to the server where that is lost. */
export function showState(status: Status | null, isConnected: boolean): void {
  const node = find('state', HTMLElement)
  const isWell = isConnected && status?.isReady === true
  const words = status === null ? 'Connecting' : isWell ? 'Streaming' : (STATES[status.state] ?? status.state)
  const caught = isConnected && status?.state === 'streaming' && !status.isReady ? 'Catching up' : words
  setText(node, isConnected || status === null ? caught : 'Connection lost, trying again')
  node.dataset['well'] = String(isWell)
}

/** Shows what is in the way, and what to do about it. */
export function showTrouble(text: string | null): void {
  const node = find('trouble', HTMLElement)
  node.hidden = text === null
  setText(node, text ?? '')
}

/** The text of what keeps changes from flowing. */
export function troubleOf({ errorCode, errorMend, state }: Status): string | null {
  if (!errorCode || state === 'streaming') return null
  return `${errorCode}: ${errorMend ?? 'see the log of the server.'}`
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

function tilesOf(status: Status, samples: readonly Sample[]): readonly Tile[] {
  const { slot, slotHealth, models } = status
  const delay = samples.findLast(({ delayMs }) => delayMs !== null)?.delayMs
  const perSecond = models.reduce((sum, model) => sum + model.perSecond, 0)
  const subscriptions = models.reduce((sum, model) => sum + model.subscriptions, 0)
  const total = models.reduce((sum, { inserts, updates, deletes }) => sum + inserts + updates + deletes, 0)
  const limit = slotHealth?.budgetBytes ?? slotHealth?.safeWalBytes ?? null
  const retained = slotHealth?.retainedBytes ?? null
  return [
    ['Changes a second', formatRate(perSecond), `${formatCount(total)} since the start`],
    ['Commit to here', delay === null || delay === undefined ? '–' : formatDelay(delay), 'the latest change'],
    ['Lag', formatBytes(status.lagBytes), status.serverLsn ? `WAL not read yet, of ${status.serverLsn}` : ''],
    ['Subscribers', formatCount(subscriptions), `${models.length} live models`],
    [
      'WAL kept',
      retained === null ? '–' : formatBytes(retained),
      limit === null ? 'no limit is set' : `of ${formatBytes(limit)} allowed`,
    ],
    [
      'Slot',
      slotHealth?.walStatus ?? '–',
      slotHealth?.activePid ? `${slot}, process ${slotHealth.activePid}` : slot,
    ],
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
    element('th', { scope: 'row' }, name, element('small')),
    ...cells,
  )
}
