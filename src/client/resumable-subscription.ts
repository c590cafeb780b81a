/**
 * Beside the spine, client. For browsers and other clients: a subscription that survives lost connections and
 * restarted servers. It remembers the cursor of the last change and goes on after it. Imports nothing of the
 * server.
 */
import type { Client, SubscribePayload } from 'graphql-ws'

/** What is asked for. */
export interface ResumableRequest {
  /** A subscription with one root field that selects `cursor` and takes `after: $after`. */
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>> | undefined
}

/** How it resumes. */
export interface ResumableOptions {
  /** Begin after this cursor: `changeCursor`, taken before the rows were queried. @default asks for it first */
  readonly after?: string | undefined
  /** Name of the query's cursor variable. @default 'after' */
  readonly variable?: string | undefined
  /**
   * Called when changes may be missing: query the rows again, and return the cursor to go on after. Without it
   * the iteration ends with the error.
   */
  readonly onResync?: ((error: SubscriptionError) => Promise<string> | string) | undefined
  /** Ends the iteration, also while it waits. */
  readonly signal?: AbortSignal | undefined
}

/** Why a subscription ended: the first GraphQL error, with its code. */
export class SubscriptionError extends Error {
  override readonly name = 'SubscriptionError'
  /** `RESYNC_REQUIRED`, `SUBSCRIBER_TOO_SLOW`, …; null for errors without one. */
  readonly code: string | null
  readonly extensions: Readonly<Record<string, unknown>>

  constructor(message: string, extensions: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.extensions = extensions
    this.code = typeof extensions['code'] === 'string' ? extensions['code'] : null
  }
}

/** A GraphQL error as it comes over the wire. */
interface WireError {
  readonly message: string
  readonly extensions?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Iterates over a subscription's data. Give the client `retryAttempts: Infinity` and a `shouldRetry` that says
 * yes: it reconnects, and each new attempt carries the latest cursor. A server that ended the subscription
 * because it was read too slowly is asked again, one that stops after the moment it names; one that says
 * RESYNC_REQUIRED leads to `onResync`.
 * @throws SubscriptionError, and what the client gives up with, from the loop.
 */
export async function* subscribeResumable<Data extends object>(
  client: Client,
  request: ResumableRequest,
  options: ResumableOptions = {},
): AsyncGenerator<Data, void, undefined> {
  // Without a place to begin with, a connection lost before the first change would lose what came meanwhile.
  const place: Place = { cursor: options.after ?? (await queryChangeCursor(client)) }
  for (let barren = 0; options.signal?.aborted !== true; barren += 1) {
    const before: string = place.cursor
    try {
      yield* attempt<Data>(client, request, options, place)
      return
    } catch (error) {
      if (!(error instanceof SubscriptionError)) throw error
      if (error.code === 'SERVER_STOPPING' || error.code === 'MODEL_UNAVAILABLE') {
        await moveOn(error, place, options.signal)
        continue
      }
      // A server that has had nothing to say since the last attempt is given time to mend.
      if (place.cursor !== before) barren = 0
      if (barren > 0) await wait(Math.min(RETRY_DELAY_MAX_MS, RETRY_DELAY_MS * 2 ** barren), options.signal)
      if (error.code === 'SUBSCRIBER_TOO_SLOW') continue
      if (error.code !== 'RESYNC_REQUIRED' || options.onResync === undefined) throw error
      place.cursor = await options.onResync(error)
    }
  }
}

/** A server that stops says where to go on, and when; one that cannot read a model's changes at present says when. */
async function moveOn(
  { extensions }: SubscriptionError,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { cursor, retryAfterMs } = extensions
  if (typeof cursor === 'string') place.cursor = cursor
  await wait(
    typeof retryAfterMs === 'number' ? Math.min(retryAfterMs, RETRY_DELAY_MAX_MS) : RETRY_DELAY_MS,
    signal,
  )
}

const RETRY_DELAY_MS = 50
const RETRY_DELAY_MAX_MS = 5_000

/** Resolves after the delay, or at once when the signal aborts. */
function wait(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, delayMs)
    if (signal?.aborted === true) end()
    else signal?.addEventListener('abort', end)
  })
}

/** Where the subscription stands. */
interface Place {
  cursor: string
}

/** Asks for `changeCursor`: the cursor for now. Take it before the rows are queried. */
export async function queryChangeCursor(client: Client): Promise<string> {
  for await (const { data } of client.iterate<{ changeCursor: string }>({ query: '{ changeCursor }' })) {
    if (data) return data.changeCursor
  }
  throw new SubscriptionError('The server did not answer `changeCursor`.')
}

async function* attempt<Data extends object>(
  client: Client,
  request: ResumableRequest,
  { variable = 'after', signal }: ResumableOptions,
  place: Place,
): AsyncGenerator<Data, void, undefined> {
  // The client writes the payload anew for each attempt, so a getter gives it the cursor of that moment.
  const payload: SubscribePayload = {
    query: request.query,
    get variables() {
      return { ...request.variables, [variable]: place.cursor }
    },
  }
  const inbox = createInbox<Data>()
  const unsubscribe = client.subscribe<Data>(payload, {
    next({ data, errors }) {
      const [fault] = (errors ?? []) as readonly WireError[]
      if (!data) {
        inbox.end(new SubscriptionError(fault?.message ?? 'The server sent no data.', fault?.extensions))
        return
      }
      try {
        // At once, not when it is taken: should the connection be lost meanwhile, what is here has come.
        place.cursor = cursorOf(data)
        inbox.push(data)
      } catch (error) {
        inbox.end(error)
      }
    },
    error: (error) => inbox.end(toSubscriptionError(error)),
    complete: () => inbox.end(null),
  })
  const onAbort = () => inbox.end(null)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    for (let data = await inbox.take(); data !== null; data = await inbox.take()) yield data
  } finally {
    signal?.removeEventListener('abort', onAbort)
    unsubscribe()
  }
}

/** What has come and waits to be taken, in order. */
interface Inbox<Data> {
  push(data: Data): void
  /** Ends it, after what waits: normally with null. */
  end(error: unknown): void
  /** The next one; null at the end. */
  take(): Promise<Data | null>
}

function createInbox<Data>(): Inbox<Data> {
  const waiting: Data[] = []
  let ended: { readonly error: unknown } | null = null
  let wake = () => {}
  return {
    push(data) {
      waiting.push(data)
      wake()
    },
    end(error) {
      ended ??= { error }
      wake()
    },
    async take() {
      for (;;) {
        const data = waiting.shift()
        if (data !== undefined) return data
        if (ended?.error) throw ended.error
        if (ended !== null) return null
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

function cursorOf(data: object): string {
  const [change] = Object.values(data) as readonly unknown[]
  const cursor = typeof change === 'object' && change !== null ? Reflect.get(change, 'cursor') : undefined
  if (typeof cursor === 'string') return cursor
  throw new SubscriptionError(
    'The subscription does not select `cursor`, so it could not be resumed. Select it.',
  )
}

/** graphql-ws ends an iteration with a list of GraphQL errors, a close event, or an Error. */
function toSubscriptionError(error: unknown): unknown {
  const [first] = Array.isArray(error) ? (error as readonly WireError[]) : []
  return first === undefined ? error : new SubscriptionError(first.message, first.extensions)
}
