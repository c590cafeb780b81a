/** Subscribers that come back: over WebSocket with the client of the repository, over SSE by hand. */
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { SubscriptionError } from '../../src/client/subscription-error.ts'
import { type SseSubscription, subscribeSse } from '../support/sse-client.ts'
import type { ChaosModel } from './ledger.ts'
import type { Random } from './random.ts'
import type { RowImage } from './rows.ts'
import { SeenLog, type WireChange } from './seen-log.ts'

/** One subscriber. */
export interface ChaosSubscriber {
  readonly name: string
  readonly model: ChaosModel
  readonly log: SeenLog
  stop(): Promise<void>
}

/** What a subscriber needs. */
export interface SubscriberOptions {
  readonly name: string
  readonly model: ChaosModel
  /** Of the proxy: `http://…`. */
  readonly url: string
  /** Where it begins. */
  readonly after: string
  readonly random: Random
  /** Goes away now and then, of its own accord. */
  readonly isRestless?: boolean | undefined
  /** Leaves large columns out. */
  readonly isLight?: boolean | undefined
  /** After a resync: the rows, as the application would query them again. Called once the new cursor is known. */
  readonly queryRows: (model: ChaosModel) => Promise<readonly RowImage[]>
  /** An end that nothing explains. */
  readonly onUnexpectedEnd: (error: unknown) => void
}

/** A link without a heartbeat for so long is dead: the server sends one every twelve seconds. */
const SILENCE_MS = 30_000

interface Payload {
  readonly change: WireChange
}

/** `changeCursor`, asked for until there is an answer. */
export async function fetchChangeCursor(url: string, isWanted: () => boolean = () => true): Promise<string> {
  while (isWanted()) {
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ changeCursor }' }),
        signal: AbortSignal.timeout(10_000),
      })
      const answer = (await response.json()) as { readonly data?: { readonly changeCursor: string } }
      if (answer.data) return answer.data.changeCursor
    } catch {
      // The server is away, or was cut off in the middle of its answer.
    }
    await delay(100)
  }
  throw new Error('The cursor is no longer wanted.')
}

async function noteResync(
  { model, queryRows }: SubscriberOptions,
  log: SeenLog,
  { extensions, message }: Pick<SubscriptionError, 'extensions' | 'message'>,
  after: string,
): Promise<void> {
  log.noteResync(String(extensions['reason'] ?? message), after, await queryRows(model))
}

/** Subscribes over WebSocket with `subscribeResumable`. */
export function openWebSocketSubscriber(options: SubscriberOptions): ChaosSubscriber {
  const { model, url, random } = options
  const log = new SeenLog(model, options.after, options.isLight)
  let isStopping = false
  const client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => !isStopping,
    retryWait: () => delay(random.integer(10, 150)),
    on: { connected: () => (log.attempts += 1) },
  })
  let cursor = options.after

  /** Until it goes away of its own accord, or is stopped. */
  async function readSome(count: number): Promise<void> {
    const changes = subscribeResumable<Payload>(
      client,
      { query: log.query },
      {
        after: cursor,
        async onResync(error) {
          const next = await fetchChangeCursor(url, () => !isStopping)
          await noteResync(options, log, error, next)
          cursor = next
          return next
        },
      },
    )
    let taken = 0
    for await (const { change } of changes) {
      log.add(change)
      cursor = change.cursor
      taken += 1
      if (isStopping || taken === count) break
    }
  }

  async function run(): Promise<void> {
    while (!isStopping) {
      try {
        await readSome(options.isRestless === true ? random.integer(1, 500) : Number.POSITIVE_INFINITY)
        if (options.isRestless === true) await delay(random.integer(0, 300))
      } catch (error) {
        if (!isStopping) options.onUnexpectedEnd(error)
        return
      }
    }
  }

  const running = run()
  return {
    ...{ name: options.name, model, log },
    async stop() {
      isStopping = true
      // It rejects when it is in the middle of an attempt to connect.
      await Promise.resolve(client.dispose()).catch(() => {})
      client.terminate()
      await running
    },
  }
}

/** Subscribes over SSE, and comes back with the cursor: in the request, or as a browser sends it. */
export function openSseSubscriber(options: SubscriberOptions): ChaosSubscriber {
  const { model, url, random } = options
  const log = new SeenLog(model, options.after, options.isLight)
  const { query } = log
  let isStopping = false
  let cursor = options.after
  let current: SseSubscription<Payload> | null = null

  async function open(): Promise<SseSubscription<Payload>> {
    // The header counts, whatever the request still says.
    if (random.chance(0.5))
      return subscribeSse<Payload>(url, query, { after: cursor }, 'POST', {}, SILENCE_MS)
    const headers = { 'last-event-id': cursor }
    return subscribeSse<Payload>(url, query, { after: options.after }, 'GET', headers, SILENCE_MS)
  }

  async function read(stream: SseSubscription<Payload>): Promise<void> {
    while (!isStopping) {
      const result = await stream.next(2 ** 30).catch(() => null)
      if (result === null) return
      const [fault] = result.errors ?? []
      if (!result.data) {
        await judgeEnd(new SubscriptionError(fault?.message ?? 'No data came.', fault?.extensions))
        return
      }
      log.add(result.data.change)
      cursor = result.data.change.cursor
    }
  }

  async function judgeEnd(error: SubscriptionError): Promise<void> {
    if (error.code === 'SUBSCRIBER_TOO_SLOW' || error.code === 'MODEL_UNAVAILABLE') return
    if (error.code !== 'RESYNC_REQUIRED') throw error
    const next = await fetchChangeCursor(url, () => !isStopping)
    await noteResync(options, log, error, next)
    cursor = next
  }

  async function run(): Promise<void> {
    while (!isStopping) {
      try {
        current = await open().catch(() => null)
        if (current === null) continue
        log.attempts += 1
        await read(current)
      } catch (error) {
        if (!isStopping) options.onUnexpectedEnd(error)
        return
      } finally {
        current?.unsubscribe()
        await delay(random.integer(10, 150))
      }
    }
  }

  const running = run()
  return {
    ...{ name: options.name, model, log },
    async stop() {
      isStopping = true
      current?.unsubscribe()
      await running
    },
  }
}
