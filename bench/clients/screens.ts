/** Many screens in a process of their own, each of which shows a list or totals: by a subscription, or by asking again and again. Some note when they saw what. */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { openRawWebSocket } from './raw-websocket.ts'

/** Screens to open. */
export interface ScreensRequest {
  readonly port: number
  readonly path: string
  readonly screens: number
  readonly document: string
  /** How long each waits after an answer until it asks again; null for a subscription. */
  readonly pollMs: number | null
  /** What a screen shows: the ids of rows, or how many there are. */
  readonly shows: 'ids' | 'count'
}

/** As many screens have one that notes what it shows. */
const NOTED = 50
const LISTS = /"id":"?(\d+)/g
const COUNT = /"count":(\d+)/g

interface Screen {
  /** What it has shown, and when first. */
  readonly seen: Map<number, number>
  /** Called with each text that comes. */
  take(text: string): void
}

const state = { screens: [] as Screen[], texts: 0, faults: [] as string[], isEnded: false }

async function open(asked: ScreensRequest): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: asked.screens })
  for (let number = 0; number < asked.screens; number += 1) {
    const screen = number % NOTED === 0 ? notingScreen(asked.shows) : null
    if (screen !== null) state.screens.push(screen)
    if (asked.pollMs === null) await subscribe(asked, screen)
    // Not all at once: they were opened at different times.
    else setTimeout(poll, (asked.pollMs * number) / asked.screens, asked, agent, screen)
  }
}

function notingScreen(shows: ScreensRequest['shows']): Screen {
  const seen = new Map<number, number>()
  return {
    seen,
    take(text) {
      const nowMs = performance.timeOrigin + performance.now()
      for (const [, shown] of text.matchAll(shows === 'ids' ? LISTS : COUNT))
        if (!seen.has(Number(shown))) seen.set(Number(shown), nowMs)
    },
  }
}

async function subscribe({ port, path, document }: ScreensRequest, screen: Screen | null): Promise<void> {
  let onAcknowledged = () => {}
  const acknowledged = new Promise<void>((resolve) => {
    onAcknowledged = resolve
  })
  const socket = await openRawWebSocket({
    ...{ port, path, protocol: 'graphql-transport-ws', localAddress: '127.0.0.1' },
    onText(bytes, start, end) {
      const head = bytes.toString('latin1', start, Math.min(end, start + 120))
      if (head.includes('"type":"next"')) {
        state.texts += 1
        screen?.take(bytes.toString('latin1', start, end))
      } else if (head.includes('"connection_ack"')) onAcknowledged()
      else if (!head.includes('"type":"p')) state.faults.push(head)
    },
    onLost: () => state.faults.push('a connection was lost'),
  })
  socket.send(JSON.stringify({ type: 'connection_init', payload: {} }))
  await acknowledged
  socket.send(JSON.stringify({ id: randomUUID(), type: 'subscribe', payload: { query: document } }))
}

function poll(asked: ScreensRequest, agent: Agent, screen: Screen | null): void {
  const { port, path, document, pollMs } = asked
  const again = () => {
    if (!state.isEnded) setTimeout(poll, pollMs ?? 0, asked, agent, screen)
  }
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  const call = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers }, (answer) => {
    let text = ''
    answer.setEncoding('latin1')
    answer.on('data', (chunk: string) => {
      text += chunk
    })
    answer.on('end', () => {
      state.texts += 1
      if (answer.statusCode !== 200) state.faults.push(`${answer.statusCode} ${text.slice(0, 200)}`)
      screen?.take(text)
      again()
    })
  })
  call.on('error', (error) => {
    if (!state.isEnded) state.faults.push(error.message)
  })
  call.end(JSON.stringify({ query: document }))
}

export const commands = {
  open,
  /** Messages or answers since it was asked last. */
  texts() {
    const { texts } = state
    state.texts = 0
    return texts
  },
  /** Whether each that notes has shown it. */
  haveShown({ value }: { readonly value: number }): boolean {
    if (state.faults.length > 0) throw new Error(`${state.faults.length} faults, first: ${state.faults[0]}`)
    return state.screens.every(({ seen }) => seen.has(value))
  },
  /** What each that notes has shown, and when first, in milliseconds since 1970. */
  seen: () => state.screens.map(({ seen }) => [...seen]),
  end() {
    state.isEnded = true
  },
}
