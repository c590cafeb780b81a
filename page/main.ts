/** The live page: wires its subscription to its views. */
import { type ActivityListener, followActivity } from './activity-stream.ts'
import { createAnnouncer } from './announcer.ts'
import { offerModels, showChanges } from './changes-view.ts'
import { find, setText } from './dom.ts'
import { countOf, explainEmptyList, formatBytes, formatDelay, formatRate } from './format.ts'
import {
  CHANGES_MAX,
  EMPTY_STATE,
  type PageState,
  shownChanges,
  withActivity,
  withHeldShown,
  withLoss,
  withPause,
  withReading,
} from './page-state.ts'
import { createPlot } from './plot.ts'
import { watchReading } from './reading.ts'
import { showModels, showState, showTiles, showTrouble, troubleOf } from './status-view.ts'
import { initTheme } from './theme.ts'

/** For this tab only, and never in an address. */
const TOKEN = 'rowcast-token'

const announce = createAnnouncer()
const plots = [
  createPlot(find('delay-plot', HTMLElement), {
    ...{ title: 'Lag (time)', format: formatDelay, topMin: 20 },
    read: ({ delayMs }) => delayMs ?? null,
  }),
  createPlot(find('lag-plot', HTMLElement), {
    ...{ title: 'Lag (WAL)', format: formatBytes, topMin: 10_000 },
    read: ({ lagBytes }) => lagBytes,
  }),
  createPlot(find('rate-plot', HTMLElement), {
    ...{ title: 'Changes a second', format: formatRate, topMin: 4 },
    read: ({ changes }) => changes,
  }),
]
const signIn = find('sign-in', HTMLFormElement)
const pause = find('pause', HTMLButtonElement)
const news = find('news', HTMLButtonElement)
const filter = find('model-filter', HTMLSelectElement)
let state = EMPTY_STATE

function change(next: PageState): void {
  state = next
  show()
}

function show(): void {
  const { status, samples, held, isPaused, lostAt } = state
  showState(status, lostAt)
  if (status !== null) {
    showTiles(status, samples)
    showModels(status.models)
    offerModels(status.models.map(({ name }) => name))
  }
  for (const plot of plots) plot(samples)
  showList()
  pause.setAttribute('aria-pressed', String(isPaused))
  setText(pause, isPaused ? 'Paused' : 'Pause')
  news.hidden = held.length === 0
  const isMany = held.length >= CHANGES_MAX
  setText(news, isMany ? 'Show the newest changes' : `Show ${countOf(held.length, 'new change')}`)
}

function showList(): void {
  const { status } = state
  const changes = shownChanges(state, filter.value)
  const fresh = showChanges(changes)
  if (!state.isPaused) announce(fresh)
  const empty = find('no-changes', HTMLElement)
  empty.hidden = changes.length > 0
  const model = status?.models.find(({ name }) => name === filter.value) ?? null
  if (status !== null) setText(empty, explainEmptyList(model, status))
}

const listener: ActivityListener = {
  onActivity(activity, isFirst) {
    signIn.hidden = true
    showTrouble(troubleOf(activity.status))
    change(withActivity(state, activity, isFirst))
  },
  onLost: () => change(withLoss(state, new Date())),
  onRefused() {
    change(withLoss(state, new Date()))
    signIn.hidden = false
    find('token', HTMLInputElement).focus()
  },
  onError: (message) => showTrouble(message),
}

initTheme()
let stop = followActivity(sessionStorage.getItem(TOKEN), listener)
signIn.addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem(TOKEN, find('token', HTMLInputElement).value)
  stop()
  stop = followActivity(sessionStorage.getItem(TOKEN), listener)
})
pause.addEventListener('click', () => change(withPause(state, !state.isPaused)))
news.addEventListener('click', () => {
  change(withHeldShown(state))
  find('changes', HTMLElement).scrollIntoView({ block: 'start' })
  // The button is gone, and with it the focus: whoever uses the keyboard goes on at the list.
  find('changes', HTMLElement).focus({ preventScroll: true })
})
filter.addEventListener('change', showList)
watchReading(find('reading', HTMLElement), (isReading) => change(withReading(state, isReading)))
show()
