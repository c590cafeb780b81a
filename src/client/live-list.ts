/**
 * Beside the spine, client. A list that stays as the database is: loaded once, then kept up by the changes after the
 * cursor, across lost connections; loaded again where changes may be missing. For any framework: a snapshot and a
 * call when there is another.
 */
import type { Client } from 'graphql-ws'
import { applyChange, type ListChange, type ListShape } from './apply-change.ts'
import { queryChangeCursor, type ResumableRequest, subscribeResumable } from './resumable-subscription.ts'

/** How a list is loaded and kept up. */
export interface LiveListOptions<Row extends object> extends ListShape<Row> {
  /** Of graphql-ws, with `retryAttempts: Infinity` and `shouldRetry: () => true`. */
  readonly client: Client
  /** Queries the rows, past any cache. Called at the start, and again after each RESYNC_REQUIRED. */
  readonly load: () => Promise<readonly Row[]>
  /** The subscription: one root field that takes `after: $after` and selects `cursor`, `action`, `key` and `new`. */
  readonly request: ResumableRequest
  /** Called for each change once it is applied, for what the rows do not show, such as highlighting. */
  readonly onChange?: ((change: ListChange<Row>) => void) | undefined
}

/**
 * `loading`: the rows are being queried. `live`: the rows are as the database is, give or take the way here.
 * `reconnecting`: the rows are as they were; what changed since will follow. `ended`: for good.
 */
export type LiveListStatus = 'loading' | 'live' | 'reconnecting' | 'ended'

/** A moment of a list; another object whenever something differs. */
export interface LiveListState<Row extends object> {
  readonly rows: readonly Row[]
  readonly status: LiveListStatus
  /** Why it does not load, or has ended. */
  readonly error: unknown
}

/** A list while it lives. */
export interface LiveList<Row extends object> {
  readonly state: LiveListState<Row>
  /** Calls back after each difference, at most once in a turn of the event loop. Returns what ends that. */
  listen(listener: () => void): () => void
  /** Ends it; the client stays open. */
  stop(): void
}

const RETRY_DELAY_MS = 250
const RETRY_DELAY_MAX_MS = 5_000

/** Creates a list and begins to load it. */
export function createLiveList<Row extends object>(options: LiveListOptions<Row>): LiveList<Row> {
  const { client } = options
  const listeners = new Set<() => void>()
  const ending = new AbortController()
  const { signal } = ending
  let state: LiveListState<Row> = { rows: [], status: 'loading', error: null }
  let hasRows = false
  let isConnected = false
  let isTold = true

  function change(next: Partial<LiveListState<Row>>): void {
    state = { ...state, ...next }
    if (!isTold) return
    isTold = false
    // A transaction of a thousand changes is one picture, not a thousand.
    setTimeout(() => {
      isTold = true
      for (const listener of listeners) listener()
    })
  }

  function showConnection(): void {
    if (hasRows && !signal.aborted) change({ status: isConnected ? 'live' : 'reconnecting' })
  }

  /** The cursor first, then the rows: no change is missed between the two. */
  async function load(): Promise<string> {
    const cursor = await queryChangeCursor(client)
    const rows = await options.load()
    hasRows = true
    change({ rows: options.sort === undefined ? rows : rows.toSorted(options.sort), error: null })
    showConnection()
    return cursor
  }

  async function loadUntilItWorks(): Promise<string> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await load()
      } catch (error) {
        if (signal.aborted) throw error
        change({ error })
        await wait(Math.min(RETRY_DELAY_MS * 2 ** failures, RETRY_DELAY_MAX_MS), signal)
      }
    }
  }

  async function follow(): Promise<void> {
    const after = await loadUntilItWorks()
    const changes = subscribeResumable<Record<string, ListChange<Row>>>(client, options.request, {
      after,
      signal,
      onResync: loadUntilItWorks,
    })
    for await (const data of changes) {
      const [one] = Object.values(data)
      if (one === undefined || signal.aborted) continue
      change({ rows: applyChange(state.rows, one, options) })
      options.onChange?.(one)
    }
  }

  const stopWatching = [
    client.on('connected', () => {
      isConnected = true
      showConnection()
    }),
    client.on('closed', (event) => {
      // 1000: nothing was asked for at that moment, so the client hung up.
      if (Reflect.get(Object(event), 'code') === 1000) return
      isConnected = false
      showConnection()
    }),
  ]
  const end = (error: unknown): void => {
    for (const stop of stopWatching) stop()
    change({ status: 'ended', error })
  }
  follow().then(
    () => end(null),
    (error: unknown) => end(signal.aborted ? null : error),
  )
  return {
    get state() {
      return state
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: () => ending.abort(),
  }
}

/** Resolves after the delay, or at once when the signal aborts. */
function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
