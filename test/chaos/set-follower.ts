/** One who follows a set over a WebSocket: folds what comes into rows by key, goes on at its cursor, and begins again where it has to. */
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { SubscriptionError } from '../../src/client/subscription-error.ts'
import type { Random } from './random.ts'
import { type CommentRow, formatComment, type SetView } from './set-views.ts'

/** What comes of a set. */
export interface SetEvent {
  readonly action: string
  readonly transition: string | null
  readonly cause: string | null
  readonly cursor: string
  /** Null for the first rows, and READY. */
  readonly transaction: { readonly xid: string } | null
  readonly key: { readonly rowId: string } | null
  readonly new: CommentRow | null
}

/** What came from the first rows to a RESYNC_REQUIRED, or to the end. */
export interface SetSession {
  readonly events: SetEvent[]
  /** Why it had to end; null: it went on. */
  resyncReason: string | null
}

/** Rows by key, as events make them. */
export class SetFold {
  readonly rows = new Map<string, string>()
  /** All first rows have come. */
  isReady = false

  apply({ action, transition, key, new: row }: SetEvent): void {
    if (action === 'READY') this.isReady = true
    else if (action === 'TRUNCATE') this.rows.clear()
    else if (row === null || action === 'DELETE' || transition === 'LEFT') this.rows.delete(key?.rowId ?? '')
    else this.rows.set(key?.rowId ?? '', formatComment(row))
  }
}

/** One of them. */
export interface SetFollower {
  readonly name: string
  readonly view: SetView
  readonly sessions: readonly SetSession[]
  /** What it has now. */
  readonly fold: SetFold
  /** How often it connected. */
  readonly attempts: number
  stop(): Promise<void>
}

/** What it needs. */
export interface SetFollowerOptions {
  readonly view: SetView
  readonly url: string
  readonly random: Random
  /** Goes away now and then, of its own accord. */
  readonly isRestless: boolean
  /** An end that nothing explains. */
  readonly onUnexpectedEnd: (error: unknown) => void
}

/** Begins to follow. */
export function openSetFollower(options: SetFollowerOptions): SetFollower {
  const { view, url, random, isRestless } = options
  const sessions: SetSession[] = []
  let fold = new SetFold()
  let cursor: string | undefined
  let attempts = 0
  let isStopping = false
  const client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { viewer: view.viewer },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => !isStopping,
    retryWait: () => delay(random.integer(10, 150)),
    on: { connected: () => (attempts += 1) },
  })
  const query = `subscription ($after: Cursor) {
    change: commentChanged(initial: true, after: $after, where: { ${view.where} }) {
      action transition cause cursor transaction { xid } key { rowId } new { id body postId authorId }
    }
  }`

  /** It has nothing, and begins with the rows there are. */
  function begin(): SetSession {
    const session: SetSession = { events: [], resyncReason: null }
    sessions.push(session)
    fold = new SetFold()
    cursor = undefined
    return session
  }

  async function readSome({ events }: SetSession, count: number): Promise<void> {
    const changes = subscribeResumable<{ readonly change: SetEvent }>(
      client,
      { query },
      { after: cursor, initial: true },
    )
    let taken = 0
    for await (const { change } of changes) {
      events.push(change)
      fold.apply(change)
      cursor = change.cursor
      taken += 1
      if (isStopping || taken >= count) return
    }
  }

  async function run(): Promise<void> {
    let session = begin()
    while (!isStopping) {
      try {
        await readSome(session, isRestless ? random.integer(1, 500) : Number.POSITIVE_INFINITY)
        if (isRestless) await delay(random.integer(0, 300))
      } catch (error) {
        if (isStopping) return
        if (!(error instanceof SubscriptionError) || error.code !== 'RESYNC_REQUIRED') {
          options.onUnexpectedEnd(error)
          return
        }
        session.resyncReason = String(error.extensions['reason'] ?? error.message)
        session = begin()
        await delay(random.integer(10, 150))
      }
    }
  }

  const running = run()
  return {
    ...{ name: `set ${view.name}${isRestless ? ', restless' : ''}`, view, sessions },
    get fold() {
      return fold
    },
    get attempts() {
      return attempts
    },
    async stop() {
      isStopping = true
      // It rejects when it is in the middle of an attempt to connect.
      await Promise.resolve(client.dispose()).catch(() => {})
      client.terminate()
      await running
    },
  }
}
