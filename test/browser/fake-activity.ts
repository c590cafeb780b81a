/** The live page over a server that says what a test wants it to say: no database, and any number of models and changes. */
import type { Browser, Page, WebSocketRoute } from 'playwright-core'
import { vi } from 'vitest'
import type { Activity, Change, ModelActivity } from '../../page/page-state.ts'

type Viewport = { readonly width: number; readonly height: number }

/** The page, and the server's side of its socket. */
export interface FakedPage extends AsyncDisposable {
  readonly page: Page
  /** What the browser complains about. */
  readonly problems: readonly string[]
  /** Sends a message of the subscription. */
  send(activity: Activity): Promise<void>
  /** Cuts the connection, for good or until `accept()`. */
  cut(): Promise<void>
  accept(): void
}

/** Opens it in a browser, connected. @param url of a server that has the page */
export async function openFakedPage(
  browser: Browser,
  url: string,
  options: { readonly viewport?: Viewport; readonly colorScheme?: 'light' | 'dark' } = {},
): Promise<FakedPage> {
  const page = await browser.newPage({
    ...{ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', locale: 'en-GB' },
    ...options,
  })
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  let isRefusing = false
  let socket: WebSocketRoute | null = null
  let id = ''
  await page.routeWebSocket(/graphql\/activity$/, (route) => {
    if (isRefusing) return void route.close({ code: 1013 })
    socket = route
    route.onMessage((text) => {
      const message = JSON.parse(String(text)) as { readonly type: string; readonly id: string }
      if (message.type === 'connection_init') route.send(JSON.stringify({ type: 'connection_ack' }))
      if (message.type === 'ping') route.send(JSON.stringify({ type: 'pong' }))
      if (message.type !== 'subscribe') return
      id = message.id
    })
  })
  await page.goto(url)
  return {
    ...{ page, problems },
    async send(activity) {
      await vi.waitUntil(() => id !== '', { timeout: 20_000 })
      socket?.send(JSON.stringify({ id, type: 'next', payload: { data: { rowcastActivity: activity } } }))
    },
    async cut() {
      isRefusing = true
      id = ''
      await socket?.close({ code: 1012 })
    },
    accept() {
      isRefusing = false
    },
    [Symbol.asyncDispose]: () => page.close(),
  }
}

/** A model that is quiet. */
export function modelOf(name: string, more: Partial<ModelActivity> = {}): ModelActivity {
  const counts = { inserts: 0, updates: 0, deletes: 0, truncates: 0, perSecond: 0, subscriptions: 0 }
  return { name, ...counts, lastChangeAt: null, errorCode: null, ...more }
}

/** A change of one row. */
export function changeOf(sequence: number, more: Partial<Change> = {}): Change {
  return {
    ...{ sequence, model: 'User', action: 'UPDATE', hasOld: true, hasNew: true },
    ...{ committedAt: '2026-11-23T08:15:30.123Z', transactionId: String(sequence) },
    key: [{ name: 'id', value: String(sequence) }],
    fields: [{ name: 'email', old: 'old@example.com', new: 'new@example.com' }],
    ...more,
  }
}

/** A message: all is well, and these changes came. */
export function activityOf(changes: readonly Change[], more: Partial<Activity['status']> = {}): Activity {
  return {
    ...{ skipped: 0, changes: [...changes], samples: [] },
    status: {
      ...{ state: 'streaming', isReady: true, startedAt: '2026-11-23T08:00:00.000Z' },
      ...{ publication: 'rowcast', slot: 'rowcast', serverLsn: '0/1A2B3C8', confirmedLsn: '0/1A2B3C8' },
      ...{ lagBytes: 1_200, errorCode: null, errorHint: null, models: [modelOf('User'), modelOf('Post')] },
      slotHealth: {
        ...{ walStatus: 'reserved', retainedBytes: 64_000_000, safeWalBytes: null },
        ...{ budgetBytes: 1_000_000_000, activePid: 4711 },
      },
      ...more,
    },
  }
}
