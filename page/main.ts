/** The live page: wires its subscription to its views. */
import { type ActivityListener, followActivity } from './activity-stream.ts'
import { createAnnouncer } from './announcer.ts'
import { offerModels, showChanges } from './changes-view.ts'
import { find, setText } from './dom.ts'
import { formatBytes, formatDelay, formatRate } from './format.ts'
import { EMPTY_STATE, withActivity, withPause } from './page-state.ts'
import { createPlot } from './plot.ts'
import { showModels, showState, showTiles, showTrouble, troubleOf } from './status-view.ts'
import { initTheme } from './theme.ts'

/** For this tab only, and never in an address. */
const TOKEN = 'rowcast-token'

const announce = createAnnouncer()
const plots = [
  createPlot(find('delay-plot', HTMLElement), {
    ...{ title: 'Commit to here', format: formatDelay, topMin: 20 },
    read: ({ delayMs }) => delayMs ?? null,
  }),
  createPlot(find('lag-plot', HTMLElement), {
    ...{ title: 'WAL not read yet', format: formatBytes, topMin: 10_000 },
    read: ({ lagBytes }) => lagBytes,
  }),
  createPlot(find('rate-plot', HTMLElement), {
    ...{ title: 'Changes a second', format: formatRate, topMin: 5 },
    read: ({ changes }) => changes,
  }),
]
const signIn = find('sign-in', HTMLFormElement)
const pause = find('pause', HTMLButtonElement)
let state = EMPTY_STATE
let isConnected = false

function show(): void {
  const { status, samples, changes, held, isPaused } = state
  showState(status, isConnected)
  if (status !== null) {
    showTiles(status, samples)
    showModels(status.models)
    offerModels(status.models.map(({ name }) => name))
  }
  for (const plot of plots) plot(samples)
  const news = showChanges(changes)
  if (!isPaused) announce(news)
  pause.setAttribute('aria-pressed', String(isPaused))
  setText(pause, isPaused && held.length > 0 ? `Paused (${held.length} more)` : isPaused ? 'Paused' : 'Pause')
}

const listener: ActivityListener = {
  onActivity(activity, isFirst) {
    isConnected = true
    signIn.hidden = true
    state = withActivity(state, activity, isFirst)
    showTrouble(troubleOf(activity.status))
    show()
  },
  onLost() {
    isConnected = false
    show()
  },
  onRefused() {
    isConnected = false
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
pause.addEventListener('click', () => {
  state = withPause(state, !state.isPaused)
  show()
})
find('model-filter', HTMLSelectElement).addEventListener('change', () => showChanges(state.changes))
show()
